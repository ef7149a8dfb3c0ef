"""Groups of any span of time: days, quarters, hours and five minutes from the database, the rest from detail rows."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from cachetools import LRUCache
from sqlalchemy.engine import Engine

from db.bounded import Bounded
from db.breakdown import DIMENSIONS, Dimension, Groups, merged
from db.breakdown_pack import unpacked_all
from db.breakdown_rolling import LENGTHS_MS, Unsettled, closed
from db.cells import DAY_MS, HOUR_MS, SLOT_MS
from db.detail import read_detail
from db.filtered_rows import FilteredRows
from db.group_rows import columns_for, groups_of
from db.labelled_sources import OTHER, AnyLabels, Numbers, WithLabels, unknown
from db.recent import RecentDetail
from db.results import Filter, Kind
from db.rollups import Rollups
from db.stored_packs import StoredPack, packs_of_lengths
from db.timed_groups import TimedGroups, summed

_MAX_REMEMBERED = 96
# Ranges that one click chooses, and the buckets that they end with; the last ones are long.
_WARM = (
    (3 * SLOT_MS, 10_000), (HOUR_MS, 30_000), (6 * HOUR_MS, SLOT_MS),
    (DAY_MS, 2 * SLOT_MS), (7 * DAY_MS, 2 * HOUR_MS), (30 * DAY_MS, 6 * HOUR_MS),
)  # fmt: skip
_LONG = 3
_ASKED_AS_A_WHOLE: tuple[Dimension, ...] = ("url", "outcome", "attempt")
# Detail rows that memory doesn't hold are read for so long in all; beyond, the caller had better ask in SQL.
_MAX_READ_MS = 2 * SLOT_MS
# Dimensions by which only these are counted.
_KINDS: dict[Dimension, Kind] = {"outcome": "scrape", "attempt": "navigation", "yield": "scrape", "field": "scrape"}


class Piece(NamedTuple):
    """A span that is counted in one row of the database."""

    length_ms: int
    start_ms: int


class Kept(NamedTuple):
    """What a piece is known by: whatever it was counted by, and of which labels alone, if of some."""

    dimension: Dimension
    labels: tuple[str, ...]
    piece: Piece


class Breakdowns:
    """Reads groups, and keeps what was read and added up in bounded memory.

    Args:
        engine: A migrated database.
        recent: Its newest rows.
        rollups: Its rollups.
        packed: Has most of the old rows that are counted one by one; None to read all of them from their table.
        max_bytes: Memory for what was read; what wasn't used for longest is read again when needed.
    """

    def __init__(
        self,
        engine: Engine,
        recent: RecentDetail,
        rollups: Rollups,
        packed: FilteredRows | None = None,
        *,
        max_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._engine = engine
        self._recent = recent
        self._rollups = rollups
        self._packed = packed
        # Protects everything below. Held while rows are read: who else needs them needs mostly the same ones.
        self._lock = threading.Lock()
        self._version = 0
        self._pieces: Bounded[Kept, Groups] = Bounded(max_bytes, lambda groups: groups.size_bytes)
        # Numbers of the sources of which a piece doesn't know the labels.
        self._unsure: dict[Kept, frozenset[int]] = {}
        self._remembered: LRUCache[tuple[Dimension, tuple[str, ...], tuple[Piece, ...]], Groups]
        self._remembered = LRUCache(_MAX_REMEMBERED)

    def of(
        self,
        dimension: Dimension,
        start_ms: int,
        end_ms: int,
        filter: Filter = Filter(),
        kind: Kind | None = None,
        *,
        keep: bool = True,
    ) -> Groups | None:
        """Return what `parts` returns, added up."""
        parts = self.parts(dimension, start_ms, end_ms, filter, kind, keep=keep)
        return None if parts is None else merged(parts)

    def parts(
        self,
        dimension: Dimension,
        start_ms: int,
        end_ms: int,
        filter: Filter,
        kind: Kind | None,
        *,
        keep: bool = True,
        apart: bool = False,
    ) -> list[Groups] | None:
        """Return everything in a span that a filter lets through, counted out; None when too much isn't known yet.

        Args:
            dimension: What by.
            start_ms: Epoch ms, inclusive.
            end_ms: Epoch ms, exclusive.
            filter: Which rows; there may be more, which `db.breakdown.letting_through` tells, but of its labels alone.
            kind: Navigations or scrapes only, likewise; None for both.
            keep: Remember what its pieces add up to; who keeps the answer needn't have it kept twice.
            apart: Don't even add up what nobody follows: whoever asks is going to take most of it out first.

        Returns:
            Groups that are still to be added up.

        Raises:
            sqlalchemy.exc.DBAPIError: The database can't be asked.
        """
        roller = self._rollups.breakdowns
        if not roller.ready:
            return None
        with self._lock:
            self._follow()
            pieces, loose = divided(start_ms, end_ms, roller.unsettled())
            if self._must_read_ms(loose) > _MAX_READ_MS:
                return None
            # The hours before the newest rows stay as they are for an hour; only what follows is added up often.
            border_ms = (loose[-1][0] if loose else end_ms) // HOUR_MS * HOUR_MS
            old = tuple(piece for piece in pieces if piece.start_ms < border_ms)
            self._read(dimension, filter.labels, pieces)
            if self._is_unsure(dimension, filter, pieces):
                return None
            if apart and self._must_read_ms([(start_ms, end_ms)]) == end_ms - start_ms:
                parts = [self._pieces[Kept(dimension, filter.labels, piece)] for piece in pieces]
            else:
                both = (old, tuple(pieces[len(old) :]))
                parts = [self._sum(dimension, filter.labels, some, keep=keep) for some in both]
            self._forget(self._pieces.trim())
        self._read_ends_ahead(loose, filter)
        parts += [groups for low, high in loose for groups in self._loose(dimension, low, high, filter, kind)]
        return parts

    def read_ahead(self, dimension: Dimension, bounds: Sequence[tuple[int, int]], labels: tuple[str, ...] = ()) -> None:
        """Bring what some spans are read from into memory in as few statements as possible.

        Args:
            dimension: What by.
            bounds: From and to of each, epoch ms.
            labels: Of rows with these alone.

        Raises:
            sqlalchemy.exc.DBAPIError: The database can't be asked.
        """
        roller = self._rollups.breakdowns
        if not roller.ready:
            return
        with self._lock:
            self._follow()
            unsettled = roller.unsettled()
            self._read(dimension, labels, [piece for low, high in bounds for piece in divided(low, high, unsettled)[0]])

    def of_buckets(
        self, dimension: Dimension, bounds: Sequence[tuple[int, int]], filter: Filter, kind: Kind | None
    ) -> TimedGroups | None:
        """Return what `of` returns of each of some buckets, all in one; nothing is remembered but what was read.

        Args:
            dimension: What by.
            bounds: The buckets, rising, without a hole between them.
            filter: As for `of`.
            kind: As for `of`.

        Raises:
            sqlalchemy.exc.DBAPIError: The database can't be asked.
        """
        roller = self._rollups.breakdowns
        if not roller.ready:
            return None
        with self._lock:
            self._follow()
            apart = closed(roller.unsettled())
            cut = [_divided(low, high, apart) for low, high in bounds]
            if self._must_read_ms([span for _, loose in cut for span in loose]) > _MAX_READ_MS:
                return None
            every = [piece for pieces, _ in cut for piece in pieces]
            self._read(dimension, filter.labels, every)
            if self._is_unsure(dimension, filter, every):
                return None
            parts = [
                (bucket, self._pieces[Kept(dimension, filter.labels, piece)])
                for bucket, (pieces, _) in enumerate(cut)
                for piece in pieces
            ]
            self._forget(self._pieces.trim())
        for bucket, (_, loose) in enumerate(cut):
            for low, high in loose:
                parts += [(bucket, groups) for groups in self._loose(dimension, low, high, filter, kind)]
        return summed(bounds, parts)

    def warm(self, present_ms: int) -> None:
        """Bring what the last day, week and month are read from into memory.

        Args:
            present_ms: The present, epoch ms.
        """
        for dimension in DIMENSIONS:
            for length_ms, step_ms in _WARM if dimension in _ASKED_AS_A_WHOLE else _WARM[-_LONG:]:
                end_ms = (present_ms // step_ms + 1) * step_ms
                self.parts(dimension, end_ms - length_ms, end_ms, Filter(), None)

    def _must_read_ms(self, loose: Sequence[tuple[int, int]]) -> int:
        """Return how much of some spans memory doesn't hold."""
        covered_ms = self._recent.covered_since_ms
        return 0 if covered_ms is None else sum(max(0, min(high, covered_ms) - low) for low, high in loose)

    def _is_unsure(self, dimension: Dimension, filter: Filter, pieces: Iterable[Piece]) -> bool:
        """Say whether there are rows in some pieces of which nobody knows whether a filter lets them through."""
        if not filter.labels or not self._unsure:
            return False
        asked = {self._recent.sources.known(name) for name in filter.sources}
        unsure = (self._unsure.get(Kept(dimension, filter.labels, piece), frozenset()) for piece in pieces)
        return any(own & asked if asked else own for own in unsure)

    def _follow(self) -> None:
        """Forget what holds minutes that changed; the caller holds the lock."""
        self._version, changed = self._rollups.changes_since(self._version)
        if changed is None:
            self._pieces.clear()
            self._unsure.clear()
            self._remembered.clear()
        if not changed:
            return
        gone = {Piece(length, minute // length * length) for minute in changed for length in LENGTHS_MS}
        self._forget([known for known in self._pieces if known.piece in gone])
        for question in [question for question in self._remembered if not gone.isdisjoint(question[-1])]:
            del self._remembered[question]

    def _read(self, dimension: Dimension, labels: tuple[str, ...], pieces: Sequence[Piece]) -> None:
        """Bring pieces into memory; the caller holds the lock."""
        missing = [piece for piece in pieces if Kept(dimension, labels, piece) not in self._pieces]
        if not missing:
            return
        names = self._recent.sources
        numbers: Numbers = WithLabels(names, labels) if labels else AnyLabels(names)
        with self._engine.connect() as connection:
            starts: dict[int, list[int]] = {}
            for length_ms, start_ms in missing:
                starts.setdefault(length_ms, []).append(start_ms)
            found: dict[Piece, Groups] = {}
            for packs in _together(packs_of_lengths(connection, (dimension,), starts)):
                pieces = [Piece(length_ms, start_ms) for _, length_ms, start_ms, _ in packs]
                groups_of_each = unpacked_all([(start_ms, pack) for _, _, start_ms, pack in packs], numbers)
                found |= dict(zip(pieces, groups_of_each, strict=True))
        for piece in missing:  # a span without a row has none in the database either
            self._keep(Kept(dimension, labels, piece), found.get(piece) or Groups.empty())

    def _keep(self, kept: Kept, groups: Groups) -> None:
        """Remember a piece, of some labels those groups alone; the caller holds the lock."""
        if kept.labels and int(groups.source.min(initial=0)) < OTHER:
            others = np.unique(groups.source[groups.source < OTHER])
            self._unsure[kept] = frozenset(unknown(code) for code in others.tolist())
            groups = groups.chosen(groups.source > OTHER)
        if not len(groups):
            groups = Groups.empty()
        self._pieces[kept] = groups

    def _forget(self, gone: Iterable[Kept]) -> None:
        for kept in gone:
            self._pieces.pop(kept, None)
            self._unsure.pop(kept, None)

    def _sum(self, dimension: Dimension, labels: tuple[str, ...], pieces: tuple[Piece, ...], *, keep: bool) -> Groups:
        """Return what pieces add up to; the caller holds the lock."""
        question = dimension, labels, pieces
        known = self._remembered.get(question)
        if known is None:
            known = merged([self._pieces[Kept(dimension, labels, piece)] for piece in pieces])
            if keep:
                self._remembered[question] = known
        return known

    def _read_ends_ahead(self, loose: Sequence[tuple[int, int]], filter: Filter) -> None:
        """Read the rows at both ends of a span together, unless memory has one of them."""
        covered_ms = self._recent.covered_since_ms
        old = [(low, min(covered_ms, high)) for low, high in loose if covered_ms is not None and low < covered_ms]
        if len(old) > 1 and self._packed is not None:
            with self._engine.connect() as connection:
                self._packed.read_ahead(connection, old, Filter(labels=filter.labels))

    def _loose(
        self, dimension: Dimension, start_ms: int, end_ms: int, filter: Filter, kind: Kind | None
    ) -> Iterator[Groups]:
        """Count detail rows out: from memory, and what it doesn't hold from the database."""
        rows, covered_ms, _ = self._recent.snapshot(start_ms, end_ms)
        if covered_ms is not None and covered_ms > start_ms:
            # What the database needn't send: that is what takes the time. A filter's texts are left to the caller.
            counted = _KINDS.get(dimension, kind)
            if kind in (None, counted):
                failed = dimension == "error" and filter.result == "all"
                least = Filter(filter.sources, "failed" if failed else filter.result, labels=filter.labels)
                with self._engine.connect() as connection:
                    old_ms = (start_ms, min(covered_ms, end_ms))
                    parts = self._packed.parts(connection, *old_ms, least, counted) if self._packed else None
                    if parts is None:
                        columns = columns_for(dimension)
                        names = (self._recent.sources, self._recent.outcomes)
                        parts = iter(
                            [read_detail(connection, *old_ms, *names, filter=least, kind=counted, columns=columns)]
                        )
                    yield from (groups_of(rows, dimension) for rows in parts)
        yield groups_of(rows.matching(Filter(labels=filter.labels)), dimension)


def divided(start_ms: int, end_ms: int, unsettled: Unsettled) -> tuple[list[Piece], list[tuple[int, int]]]:
    """Cut a span into as few pieces as possible.

    Args:
        start_ms: Epoch ms.
        end_ms: Epoch ms.
        unsettled: Spans that can't be read in one piece.

    Returns:
        (pieces, rising; what is left between them as (from, to) in epoch ms, rising).
    """
    return _divided(start_ms, end_ms, closed(unsettled))


def _divided(start_ms: int, end_ms: int, apart: Unsettled) -> tuple[list[Piece], list[tuple[int, int]]]:
    pieces: list[Piece] = []
    loose: list[tuple[int, int]] = []
    at_ms = start_ms
    while at_ms < end_ms:
        for length_ms in reversed(LENGTHS_MS):
            if at_ms % length_ms == 0 and at_ms + length_ms <= end_ms and at_ms not in apart[length_ms]:
                pieces.append(Piece(length_ms, at_ms))
                at_ms += length_ms
                break
        else:
            next_ms = min(end_ms, at_ms // SLOT_MS * SLOT_MS + SLOT_MS)
            if loose and loose[-1][1] == at_ms:
                loose[-1] = (loose[-1][0], next_ms)
            else:
                loose.append((at_ms, next_ms))
            at_ms = next_ms
    return pieces, loose


def _together(packs: Iterable[StoredPack], most_bytes: int = 200_000) -> Iterator[list[StoredPack]]:
    """Cut packs into those that may well be kept together and forgotten together."""
    some: list[StoredPack] = []
    size = 0
    for row in packs:
        some.append(row)
        size += len(row[-1])
        if size >= most_bytes:
            yield some
            some, size = [], 0
    if some:
        yield some
