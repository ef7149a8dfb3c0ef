"""Rollups in memory: what long ranges are drawn from, read from the database once and then kept equal to it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from sqlalchemy.engine import Engine

from db.bounded import Bounded, SpanSums
from db.breakdown_rolling import closed
from db.cell_sums import merged, minute_cells
from db.cells import DAY_MS, HOUR_MS, MINUTE_MS, SLOT_MS, Cells
from db.labelled_sources import AnyLabels
from db.models import HourlyRollup, MinuteRollup
from db.recent import RecentDetail
from db.results import Filter, Kind
from db.rollups import Rollups
from db.sealed import Sealed
from db.state import MINUTES_SINCE_MS, read_state
from db.stored_cells import read_cells
from db.time_packs import read_packs

_MAX_REMEMBERED = 64
_PICKED_TOGETHER = 24
_FOREVER_MS = 1 << 62


class RecentRollups:
    """Rollup rows of minutes, and of whatever buckets were asked for, bounded in memory.

    A minute that memory holds every detail row of is computed from these, the others are read from the database; a
    change makes its minute and everything that was added up from it new. Buckets wider than an hour come from hours.

    Args:
        engine: A migrated database.
        recent: Its newest rows.
        rollups: Its rollups.
        max_bytes: Memory for rows, a third of it for minutes; what wasn't used for longest is read again when needed.
    """

    def __init__(
        self, engine: Engine, recent: RecentDetail, rollups: Rollups, *, max_bytes: int = 192 * 1024 * 1024
    ) -> None:
        self._engine = engine
        self._recent = recent
        self._rollups = rollups
        # Protects everything below. Held while rows are read: who else needs rollups needs mostly the same ones, and
        # must not read them a second time.
        self._lock = threading.Lock()
        self._version = 0
        self._minutes: Bounded[int, Cells] = Bounded(max_bytes // 3, _size_bytes)  # hour -> the rows of its minutes
        self._stale: dict[int, set[int]] = {}  # hour -> minutes that changed since
        # Hours that are settled, by five minutes: read in one piece, and complete as long as nothing in them changes.
        self._packs: Bounded[int, Cells] = Bounded(max_bytes // 3, _size_bytes)
        self._buckets: Bounded[tuple[int, int], Cells]  # (length, start) -> merged rows
        self._buckets = Bounded(max_bytes // 3, _size_bytes)
        self._lengths: set[int] = set()  # of all buckets that there ever were: few, while buckets are many
        self._sums = SpanSums(_MAX_REMEMBERED)

    def sealed(self, start_ms: int, end_ms: int, bucket_ms: int, kind: Kind | None, filter: Filter) -> Sealed:
        """Return whole buckets, counted out.

        Args:
            start_ms: A multiple of bucket_ms, epoch ms.
            end_ms: Another one.
            bucket_ms: A multiple of a minute; beyond an hour, one of an hour.
            kind: Navigations or scrapes only; None for both.
            filter: Which sources and results; it must be one that rollups answer.
        """

        def add_up() -> Sealed:
            starts = range(start_ms, end_ms, bucket_ms)
            if bucket_ms < HOUR_MS:
                parts = self._inside_hours(start_ms, end_ms, bucket_ms)
            else:
                self._prepare(starts, bucket_ms)
                parts = [self._bucket(bucket_ms, start) for start in starts]
            return Sealed.of(self._chosen(parts, kind, filter), start_ms, bucket_ms, len(starts))

        with self._lock:
            self._follow()
            found = self._sums.of(start_ms, end_ms, ("sealed", bucket_ms, kind, filter), add_up)
            self._trim()
            return found

    def open(self, start_ms: int, end_ms: int, kind: Kind | None, filter: Filter) -> Cells:
        """Return a span added up, one row for each source; of one kind up to one for each result.

        Args:
            start_ms: Where it begins, epoch ms, a full minute.
            end_ms: Where it ends, a full minute.
            kind: Navigations or scrapes only; None for both.
            filter: Which sources and results; it must be one that rollups answer.
        """

        def add_up() -> Cells:
            first_ms, last_ms = -(-start_ms // HOUR_MS) * HOUR_MS, end_ms // HOUR_MS * HOUR_MS
            if first_ms < last_ms:
                hours = range(first_ms, last_ms, HOUR_MS)
                self._prepare(hours, HOUR_MS)
                parts = self._minutes_between(start_ms, first_ms)
                parts += [self._bucket(HOUR_MS, hour) for hour in hours]
                parts += self._minutes_between(last_ms, end_ms)
            else:
                parts = self._minutes_between(start_ms, end_ms)
            # Of one kind it matters which row a moment comes from (db.last_seen).
            return merged(self._chosen(parts, kind, filter), start_ms, together=kind is None)

        with self._lock:
            self._follow()
            found = self._sums.of(start_ms, end_ms, ("open", kind, filter), add_up)
            self._trim()
            return found

    def hours(self, start_ms: int, end_ms: int, kind: Kind | None, filter: Filter) -> Cells:
        """Return the rows of whole hours, by time; as for `open`, but not added up and not kept."""
        with self._lock:
            self._follow()
            starts = range(start_ms, end_ms, HOUR_MS)
            self._prepare(starts, HOUR_MS)
            found = self._chosen([self._bucket(HOUR_MS, start) for start in starts], kind, filter)
            self._trim()
            return found

    # The caller holds the lock ---------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Forget what was made from minutes that changed."""
        self._version, changed = self._rollups.changes_since(self._version)
        self._sums.forget(changed)
        if changed is None:
            self._minutes.clear()
            self._stale.clear()
            self._packs.clear()
            self._buckets.clear()
            return
        for minute in changed:
            hour = minute // HOUR_MS * HOUR_MS
            if hour in self._minutes:
                self._stale.setdefault(hour, set()).add(minute)
            self._packs.pop(hour, None)
            for length in self._lengths:
                self._buckets.pop((length, minute // length * length), None)

    def _inside_hours(self, start_ms: int, end_ms: int, bucket_ms: int) -> list[Cells]:
        """Return rows that begin in the buckets of a span that they belong to, each inside one hour."""
        hours = _hours_of(start_ms, end_ms)
        packs = self._packs_of(hours) if bucket_ms % SLOT_MS == 0 else {}
        spans = {hour: (max(start_ms, hour), min(end_ms, hour + HOUR_MS)) for hour in hours}
        missing = {
            hour: [start for start in range(*spans[hour], bucket_ms) if (bucket_ms, start) not in self._buckets]
            for hour in hours
            if hour not in packs
        }
        self._load_minutes([hour for hour, starts in missing.items() if starts])
        parts: list[Cells] = []
        for hour, (low, high) in spans.items():
            if hour in packs:
                parts.append(_between(packs[hour], low, high))
                continue
            if bucket_ms == MINUTE_MS:
                parts.append(_between(self._fresh_minutes(hour, high), low, high))
                continue
            if missing[hour]:
                self._add_up(hour, missing[hour], bucket_ms)
            parts += [self._bucket(bucket_ms, start) for start in range(low, high, bucket_ms)]
        return parts

    def _add_up(self, hour: int, starts: Sequence[int], bucket_ms: int) -> None:
        """Keep some buckets of an hour, all counted out at once."""
        end_ms = starts[-1] + bucket_ms
        cells = _between(self._fresh_minutes(hour, end_ms), starts[0], end_ms)
        found = merged(cells, cells.start_ms // bucket_ms * bucket_ms)
        for start in starts:
            self._keep_bucket((bucket_ms, start), _between(found, start, start + bucket_ms))

    def _prepare(self, starts: Iterable[int], bucket_ms: int) -> None:
        """Read the hours that some buckets are made from in as few statements as possible."""
        missing = [
            hour
            for start in starts
            if (bucket_ms, start) not in self._buckets
            for hour in range(start, start + bucket_ms, HOUR_MS)
            if hour not in self._minutes and (HOUR_MS, hour) not in self._buckets
        ]
        if not missing:
            return
        settled = self._settled(DAY_MS, {hour // DAY_MS * DAY_MS for hour in missing})
        if settled:
            with self._engine.connect() as connection:
                days = read_packs(connection, DAY_MS, settled, AnyLabels(self._recent.sources))
            for hour in missing:
                if hour // DAY_MS * DAY_MS in days:
                    self._keep_bucket((HOUR_MS, hour), _between(days[hour // DAY_MS * DAY_MS], hour))
            missing = [hour for hour in missing if hour // DAY_MS * DAY_MS not in days]
        for hour, cells in self._packs_of(missing).items():
            self._keep_bucket((HOUR_MS, hour), merged(cells, hour))
        missing = [hour for hour in missing if (HOUR_MS, hour) not in self._buckets]
        border_ms = self._border_ms()
        self._load_minutes([hour for hour in missing if hour + HOUR_MS > border_ms])
        for first, last in _runs([hour for hour in missing if hour + HOUR_MS <= border_ms]):
            self._rollups.settle(first, last)
            with self._engine.connect() as connection:
                rows = read_cells(connection, HourlyRollup, first, last, self._recent.sources)
            for hour in range(first, last, HOUR_MS):
                self._keep_bucket((HOUR_MS, hour), _between(rows, hour))

    def _packs_of(self, hours: Sequence[int]) -> dict[int, Cells]:
        """Return the hours that can be had in one piece; those whose minutes are here follow changes cheaper."""
        wanted = [hour for hour in hours if hour not in self._minutes]
        missing = self._settled(HOUR_MS, [hour for hour in wanted if hour not in self._packs])
        if missing:
            with self._engine.connect() as connection:
                # Where retention has deleted the minutes, an hour stands for its first one.
                since_ms = read_state(connection).get(MINUTES_SINCE_MS, 0)
                kept = [hour for hour in missing if hour >= since_ms]
                found = read_packs(connection, HOUR_MS, kept, AnyLabels(self._recent.sources))
            self._packs.update(found)
        return {hour: self._packs[hour] for hour in wanted if hour in self._packs}

    def _settled(self, length_ms: int, starts: Collection[int]) -> list[int]:
        """Return those spans whose packs in the database, if they have one, count everything."""
        roller = self._rollups.breakdowns
        if not starts or not roller.ready:
            return []
        apart = closed(roller.unsettled())[length_ms]
        return sorted(start for start in starts if start not in apart)

    def _bucket(self, bucket_ms: int, start_ms: int) -> Cells:
        found = self._buckets.get((bucket_ms, start_ms))
        if found is not None:
            return found
        if bucket_ms > HOUR_MS:
            hours = [self._bucket(HOUR_MS, hour) for hour in range(start_ms, start_ms + bucket_ms, HOUR_MS)]
            found = merged(Cells.joined(hours), start_ms)
            self._keep_bucket((bucket_ms, start_ms), found)
            return found
        self._add_up(start_ms // HOUR_MS * HOUR_MS, [start_ms], bucket_ms)
        return self._buckets[bucket_ms, start_ms]

    def _minutes_between(self, start_ms: int, end_ms: int) -> list[Cells]:
        """Return rows that lie in a span, of minutes or wider."""
        hours = _hours_of(start_ms, end_ms) if start_ms < end_ms else ()
        packs = self._packs_of(hours) if start_ms % SLOT_MS == end_ms % SLOT_MS == 0 else {}
        self._load_minutes([hour for hour in hours if hour not in packs])
        return [
            _between(packs[hour] if hour in packs else self._fresh_minutes(hour, end_ms), start_ms, end_ms)
            for hour in hours
        ]

    def _fresh_minutes(self, hour: int, end_ms: int) -> Cells:
        """Return the minutes of an hour, those before end_ms as they are now."""
        stale = {minute for minute in self._stale.get(hour, ()) if minute < end_ms}
        if stale and min(stale) < self._border_ms():
            self._drop_minutes([hour])
        if hour not in self._minutes:
            self._load_minutes([hour])
        elif stale:
            self._stale[hour] -= stale
            before = self._minutes[hour]
            news = {minute: minute_cells(self._recent.columns(minute, minute + MINUTE_MS)) for minute in sorted(stale)}
            self._minutes[hour] = _replaced(before, news)
        return self._minutes[hour]

    def _load_minutes(self, hours: Iterable[int]) -> None:
        for first, last in _runs([hour for hour in hours if hour not in self._minutes]):
            border_ms = min(max(self._border_ms(), first), last)
            parts: list[Cells] = []
            if border_ms > first:
                parts += self._read_minutes(first, border_ms)
            if border_ms < last:
                parts.append(minute_cells(self._recent.columns(border_ms, last)))
            loaded = Cells.joined(parts)
            for hour in range(first, last, HOUR_MS):
                self._minutes[hour] = _between(loaded, hour)

    def _read_minutes(self, start_ms: int, end_ms: int) -> list[Cells]:
        self._rollups.settle(start_ms, end_ms)
        parts = []
        with self._engine.connect() as connection:
            # Where retention has deleted the minutes, an hour stands for its first one.
            since_ms = min(read_state(connection).get(MINUTES_SINCE_MS, 0), end_ms // HOUR_MS * HOUR_MS)
            for table, low, high in (
                (HourlyRollup, start_ms, since_ms),
                (MinuteRollup, max(start_ms, since_ms), end_ms),
            ):
                if low < high:
                    parts.append(read_cells(connection, table, low, high, self._recent.sources))
        return parts

    def _border_ms(self) -> int:
        """Return the first minute of which memory has every detail row."""
        since_ms = self._recent.covered_since_ms
        return -_FOREVER_MS if since_ms is None else -(-since_ms // MINUTE_MS) * MINUTE_MS

    def _chosen(self, parts: Sequence[Cells], kind: Kind | None, filter: Filter) -> Cells:
        parts = [part for part in parts if len(part)]
        if kind is None and filter.result == "all" and not filter.sources:
            return Cells.joined(parts)
        own = map(self._recent.sources.known, filter.sources)
        codes = [code for code in own if code is not None] if filter.sources else None
        # Some at a time: few of them are left, and what they are picked from stays in the processor's cache.
        some = (parts[low : low + _PICKED_TOGETHER] for low in range(0, len(parts), _PICKED_TOGETHER))
        return Cells.joined([Cells.joined(together).only(kind, filter.result, codes) for together in some])

    def _drop_minutes(self, hours: Iterable[int]) -> None:
        for hour in hours:
            self._minutes.pop(hour, None)
            self._stale.pop(hour, None)

    def _keep_bucket(self, key: tuple[int, int], cells: Cells) -> None:
        self._buckets[key] = cells
        self._lengths.add(key[0])

    def _trim(self) -> None:
        self._drop_minutes(self._minutes.trim())
        self._packs.trim()
        self._buckets.trim()


def _size_bytes(cells: Cells) -> int:
    return cells.size_bytes


def _between(cells: Cells, start_ms: int, end_ms: int | None = None) -> Cells:
    """Return the rows that begin in [start_ms, end_ms), or in the hour from start_ms."""
    low, high = np.searchsorted(cells.start_ms, (start_ms, start_ms + HOUR_MS if end_ms is None else end_ms))
    return cells if high - low == len(cells) else cells.part(int(low), int(high))


def _replaced(cells: Cells, news: Mapping[int, Cells]) -> Cells:
    """Return rows with those of some minutes exchanged, by time."""
    kept = cells.chosen(~np.isin(cells.start_ms, list(news)))
    parts: list[Cells] = []
    at_ms = -_FOREVER_MS
    for minute, new in news.items():
        parts += [_between(kept, at_ms, minute), new]
        at_ms = minute
    return Cells.joined([*parts, _between(kept, at_ms, _FOREVER_MS)])


def _hours_of(start_ms: int, end_ms: int) -> range:
    return range(start_ms // HOUR_MS * HOUR_MS, end_ms, HOUR_MS)


def _runs(hours: Sequence[int]) -> list[tuple[int, int]]:
    """Return (first, end) of each run of hours without a hole."""
    runs: list[tuple[int, int]] = []
    for hour in hours:
        if runs and runs[-1][1] == hour:
            runs[-1] = (runs[-1][0], hour + HOUR_MS)
        else:
            runs.append((hour, hour + HOUR_MS))
    return runs
