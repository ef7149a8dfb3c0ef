"""Windows that reach further back than memory, by domain and label: read from the database piece by piece, and kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from alerts.look import Look, NotMeasurable
from alerts.pieces import Need, Numbers, Piece, added, piece_of
from alerts.units import said
from db.alert_queries import AlertQueries
from db.cells import HOUR_MS, MINUTE_MS, SLOT_MS

# Of the database in one look: some tenths of a second, and it rests for four times as long.
_ROWS_A_LOOK: Final = 20_000
_FORGOTTEN_AFTER_MS: Final = 10 * MINUTE_MS
_MOST_NEEDS: Final = 16
_MOST_NUMBERS: Final = 10_000_000  # in all pieces: some sixty megabytes


class NotYet(NotMeasurable):
    """A rule asks for what is being read: how its alerts stand is left as it is."""


@dataclass(slots=True)
class _Store:
    """The pieces of one need, by where they begin: whole minutes of late, five minutes before, and their sums.

    What reaches over the end of what was read is in `partial`: (where it begins, up to where it was read, piece).
    """

    numbers: Numbers
    asked_ms: int = 0
    reach_ms: int = 0
    refused_until_ms: int = 0
    minutes: dict[int, Piece] = field(default_factory=dict)
    slots: dict[int, Piece] = field(default_factory=dict)
    hours: dict[int, Piece] = field(default_factory=dict)
    partial: tuple[int, int, Piece] | None = None
    sums: dict[tuple[int, int], Piece] = field(default_factory=dict)

    def forget(self, minute: int) -> None:
        """Forget what a minute is in."""
        slot, hour = minute // SLOT_MS * SLOT_MS, minute // HOUR_MS * HOUR_MS
        known = self.minutes.pop(minute, None), self.slots.pop(slot, None), self.hours.pop(hour, None)
        if self.partial is not None and self.partial[0] in (minute, slot):
            self.partial = None
        if any(piece is not None for piece in known):
            self.sums.clear()

    def forget_all(self) -> None:
        """Forget every piece."""
        self.partial = None
        for pieces in (self.minutes, self.slots, self.hours, self.sums):
            pieces.clear()

    @property
    def size(self) -> int:
        """How many numbers are kept."""
        kept = (*self.minutes.values(), *self.slots.values(), *self.hours.values(), *self.sums.values())
        return sum(piece.size for piece in kept)


@dataclass(slots=True)
class _Turn:
    """What one look may still read."""

    rows: int


class Past:
    """Adds up windows that memory doesn't hold; used by one thread.

    Args:
        queries: Who is asked.
        rows_a_look: So many rows are read from the database in one look at most (a few more in a burst).
    """

    def __init__(self, queries: AlertQueries, *, rows_a_look: int = _ROWS_A_LOOK) -> None:
        self._queries = queries
        self._rows_a_look = rows_a_look
        self._stores: dict[Need, _Store] = {}
        self._version: int | None = None  # of the changes that the pieces know of

    def window(self, need: Need, window_ms: int, look: Look) -> tuple[Piece, Numbers]:
        """Return what the window up to now adds up to, from the full five minutes before its beginning on.

        Args:
            need: What rows are told apart by.
            window_ms: The window's length.
            look: The moment.

        Raises:
            NotYet: Not all of it has been read.
            NotMeasurable: It can't be read.
        """
        turn = look.once("past", lambda: self._begin(look.now_ms))
        return look.once(("past", need, window_ms), lambda: self._window(need, window_ms, look, turn))

    def _begin(self, now_ms: int) -> _Turn:
        """Forget what changed since the last look, and what nobody asks for any more."""
        version, minutes = self._queries.alert_changes(self._version or 0)
        for need, store in list(self._stores.items()):
            if not 0 <= now_ms - store.asked_ms <= _FORGOTTEN_AFTER_MS:
                del self._stores[need]
            elif self._version is None or minutes is None:
                store.forget_all()
            else:
                for minute in minutes:
                    store.forget(minute)
        self._version = version
        return _Turn(self._rows_a_look)

    def _window(self, need: Need, window_ms: int, look: Look, turn: _Turn) -> tuple[Piece, Numbers]:
        now_ms = look.now_ms
        border_ms = now_ms // MINUTE_MS * MINUTE_MS - MINUTE_MS
        covered_ms = self._queries.alert_rows(now_ms, now_ms)[1]
        if covered_ms is not None and covered_ms > border_ms:
            raise NotMeasurable(
                "by domain and by label, memory must hold two minutes at least: keep more rows in memory "
                "(SCRAPEBOARD_RECENT_ROWS)"
            )
        store = self._store(need, now_ms, window_ms)
        start_ms = (now_ms - window_ms) // SLOT_MS * SLOT_MS
        self._from_memory(need, store, start_ms, border_ms, covered_ms)
        self._from_database(need, store, start_ms, border_ms, turn)
        self._bound(store, now_ms, border_ms)
        if next(_missing(store, start_ms, border_ms), None) is not None:
            raise NotYet(
                f"the last {said(window_ms / 1000)} by {' and '.join(need.names) or 'everything'} are being read from "
                "the database, a piece with every evaluation"
            )
        rows, _ = self._queries.alert_rows(border_ms, now_ms + 1)
        tail = look.once(("tail", need), lambda: piece_of(rows, need, store.numbers))
        return added([_together(need, store, start_ms, border_ms), tail], need), store.numbers

    def _store(self, need: Need, now_ms: int, window_ms: int) -> _Store:
        store = self._stores.get(need)
        if store is None:
            if len(self._stores) >= _MOST_NEEDS:
                raise NotMeasurable(
                    f"rules over more than memory holds tell metrics apart in more than {_MOST_NEEDS} ways: shorten "
                    "the window, or use the same labels in several rules"
                )
            store = self._stores[need] = _Store(Numbers.of(need))
        store.asked_ms = now_ms
        store.reach_ms = max(store.reach_ms, window_ms)
        if now_ms < store.refused_until_ms:
            raise _too_much(need)
        return store

    def _from_memory(self, need: Need, store: _Store, start_ms: int, border_ms: int, covered_ms: int | None) -> None:
        wanted = [
            (low, high) for low, high in _missing(store, start_ms, border_ms) if covered_ms is None or low >= covered_ms
        ]
        if not wanted:
            return
        rows, still_covered_ms = self._queries.alert_rows(wanted[0][0], wanted[-1][1])
        for low, high in wanted:
            if still_covered_ms is None or low >= still_covered_ms:
                _keep(store, low, high, piece_of(rows.between(low, high), need, store.numbers))

    def _from_database(self, need: Need, store: _Store, start_ms: int, border_ms: int, turn: _Turn) -> None:
        while turn.rows > 0 and (missing := list(_missing(store, start_ms, border_ms))):
            units = missing[:1]
            for unit in missing[1:]:  # those that follow without a gap are read together
                if unit[0] != units[-1][1]:
                    break
                units.append(unit)
            first_ms, last_ms = units[0][0], units[-1][1]
            begun = store.partial if store.partial is not None and store.partial[0] == first_ms else None
            store.partial = None
            from_ms = first_ms if begun is None else begun[1]
            rows, upto_ms = self._queries.alert_old_rows(from_ms, last_ms, need.columns, turn.rows)
            turn.rows -= max(1, len(rows))
            for low, high in units:
                if low >= upto_ms:
                    break
                piece = piece_of(rows.between(low, min(high, upto_ms)), need, store.numbers)
                if begun is not None and low == first_ms:
                    piece = added([begun[2], piece], need)
                if high <= upto_ms:
                    _keep(store, low, high, piece)
                else:
                    store.partial = (low, upto_ms, piece)

    def _bound(self, store: _Store, now_ms: int, border_ms: int) -> None:
        oldest_ms = now_ms - store.reach_ms - HOUR_MS
        for pieces, first_ms in (
            (store.minutes, border_ms // SLOT_MS * SLOT_MS), (store.slots, oldest_ms), (store.hours, oldest_ms),
        ):  # fmt: skip
            for begins_ms in [moment for moment in pieces if moment < first_ms]:
                del pieces[begins_ms]
        others = sum(other.size for other in self._stores.values() if other is not store)
        if others + max(store.size, 10 * len(store.numbers)) > _MOST_NUMBERS:
            need = next(need for need, other in self._stores.items() if other is store)
            self._stores[need] = _Store(
                Numbers.of(need), store.asked_ms, store.reach_ms, refused_until_ms=now_ms + HOUR_MS
            )
            raise _too_much(need)


def _too_much(need: Need) -> NotMeasurable:
    return NotMeasurable(
        f"by {' and '.join(need.names)} there is more to tell apart than can be kept of so long a window: shorten it, "
        "or use labels with fewer different values"
    )


def _missing(store: _Store, start_ms: int, border_ms: int) -> Iterator[tuple[int, int]]:
    """Say which pieces of a window aren't known, in order: (from, to) in epoch ms."""
    last_slot_ms = border_ms // SLOT_MS * SLOT_MS
    for low in range(start_ms, last_slot_ms, SLOT_MS):
        if low not in store.slots:
            yield low, low + SLOT_MS
    for low in range(max(start_ms, last_slot_ms), border_ms, MINUTE_MS):
        if low not in store.minutes:
            yield low, low + MINUTE_MS


def _keep(store: _Store, low: int, high: int, piece: Piece) -> None:
    (store.slots if high - low == SLOT_MS else store.minutes)[low] = piece


def _together(need: Need, store: _Store, start_ms: int, border_ms: int) -> Piece:
    """Add the pieces of a window up: it is the same for a minute."""
    known = store.sums.get((start_ms, border_ms))
    if known is not None:
        return known
    parts: list[Piece] = []
    low, last_slot_ms = start_ms, border_ms // SLOT_MS * SLOT_MS
    while low < last_slot_ms:
        if low % HOUR_MS or low + HOUR_MS > last_slot_ms:
            parts.append(store.slots[low])
            low += SLOT_MS
            continue
        if low not in store.hours:
            store.hours[low] = added([store.slots[low + n] for n in range(0, HOUR_MS, SLOT_MS)], need)
        parts.append(store.hours[low])
        low += HOUR_MS
    parts += [store.minutes[at] for at in range(max(start_ms, last_slot_ms), border_ms, MINUTE_MS)]
    for question in [one for one in store.sums if one[1] != border_ms]:
        del store.sums[question]
    found = store.sums[start_ms, border_ms] = added(parts, need)
    return found
