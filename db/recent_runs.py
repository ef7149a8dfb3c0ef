"""The newest scheduler runs in memory, so that the Scheduler tab costs no query."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence

import numpy as np
from sqlalchemy.engine import Connection, Engine

from collector.events import SchedulerRun
from db.columns import Names
from db.engine import snapshot
from db.errors import unavailable_as_ours
from db.results import Filter
from db.run_columns import RunColumns, newest_columns, runs_of_metrics
from db.state import DETAIL_SINCE_MS, read_state


class RecentRuns:
    """A bounded copy of the newest runs, complete from `covered_since_ms` on.

    The runs are kept by (recorded, id) in chunks that never change: what arrives makes a new chunk in place of the one
    it belongs to, so that a reader's snapshot needs neither a copy nor a lock.

    Args:
        max_runs: Runs to keep at most (about 200 bytes each); more than an hour's, so that no page has to read the hour
            that isn't over from the database.
    """

    def __init__(self, max_runs: int = 100_000) -> None:
        if max_runs < 1:
            raise ValueError(f"max_runs must be at least 1, got {max_runs}")
        self._max_runs = max_runs
        self._chunk_runs = max(1, min(4096, max_runs // 16))
        self._lock = threading.Lock()  # protects everything below: a change of chunks is seen whole or not at all
        self._chunks: list[RunColumns] = []
        self._size = 0
        self._covered_since_ms: int | None = None
        self.names = Names()

    def __len__(self) -> int:
        with self._lock:
            return self._size

    @property
    def covered_since_ms(self) -> int | None:
        """Everything recorded at or after this moment is here, epoch ms; None when everything there is, is here."""
        with self._lock:
            return self._covered_since_ms

    def load(self, engine: Engine, *, also: Callable[[Connection], object] | None = None) -> int:
        """Fill the memory with the newest runs of the database; call it before the first batch is stored.

        Args:
            engine: A migrated database.
            also: As for `RecentDetail.load`.

        Returns:
            Number of runs loaded.

        Raises:
            DatabaseUnavailable: The database can't be asked.
        """
        with unavailable_as_ours(engine), snapshot(engine) as connection:
            if also is not None:
                also(connection)
            return self.read(connection)

    def read(self, connection: Connection) -> int:
        """Fill the memory from a connection, for who loads something else of the very same moment.

        Args:
            connection: A transaction that sees one moment of the database.

        Returns:
            Number of runs loaded.
        """
        runs, covered_since_ms = newest_columns(connection, self._max_runs, self.names)
        deleted_before_ms = read_state(connection).get(DETAIL_SINCE_MS)
        if deleted_before_ms is not None:
            covered_since_ms = max(deleted_before_ms, covered_since_ms or deleted_before_ms)
        with self._lock:
            self._chunks = self._cut(runs)
            self._size = len(runs)
            self._covered_since_ms = covered_since_ms
        return len(runs)

    def append(self, stored: Sequence[tuple[int, SchedulerRun]]) -> None:
        """Take in what was just stored: a listener of the store's runs.

        Args:
            stored: (id, run), in any order; runs older than what is covered are left out.
        """
        new = runs_of_metrics(stored, self.names)
        with self._lock:
            if self._covered_since_ms is not None:
                new = new.chosen(slice(int(np.searchsorted(new.created_at_ms, self._covered_since_ms)), None))
            if not len(new):
                return
            self._insert(new)
            self._size += len(new)
            while self._size > self._max_runs:
                gone = self._chunks.pop(0)
                self._size -= len(gone)
                # Runs of the very same millisecond may be left; from the next one on everything is here.
                self._covered_since_ms = gone.place(-1)[0] + 1

    def forget_before(self, moment_ms: int) -> None:
        """Drop what retention has deleted from the database.

        Args:
            moment_ms: Runs recorded before this moment go, epoch ms.
        """
        with self._lock:
            kept = [chunk.chosen(chunk.created_at_ms >= moment_ms) for chunk in self._chunks]
            self._chunks = [chunk for chunk in kept if len(chunk)]
            self._size = sum(map(len, kept))
            self._covered_since_ms = max(moment_ms, self._covered_since_ms or moment_ms)

    def follow_retention(self, engine: Engine) -> None:
        """Drop what retention has deleted, whichever process ran it.

        Args:
            engine: The database.

        Raises:
            DatabaseUnavailable: The database can't be asked.
        """
        with unavailable_as_ours(engine), engine.connect() as connection:
            deleted_before_ms = read_state(connection).get(DETAIL_SINCE_MS)
        if deleted_before_ms is not None:
            self.forget_before(deleted_before_ms)

    def columns(self, start_ms: int, end_ms: int) -> RunColumns | None:
        """Return the runs of [start_ms, end_ms) as they are now, or None when memory doesn't reach back.

        Args:
            start_ms: Epoch ms.
            end_ms: Epoch ms.
        """
        with self._lock:
            chunks, covered_since_ms = list(self._chunks), self._covered_since_ms
        if covered_since_ms is not None and covered_since_ms > start_ms:
            return None
        first, last = _chunks_between(chunks, start_ms, end_ms)
        return RunColumns.joined(chunks[first:last], self.names).between(start_ms, end_ms)

    def count(self, start_ms: int, end_ms: int) -> int | None:
        """Return how many runs [start_ms, end_ms) has, or None when memory doesn't reach back.

        Args:
            start_ms: Epoch ms.
            end_ms: Epoch ms.
        """
        with self._lock:
            chunks, covered_since_ms = list(self._chunks), self._covered_since_ms
        if covered_since_ms is not None and covered_since_ms > start_ms:
            return None
        first, last = _chunks_between(chunks, start_ms, end_ms)
        inside = chunks[first:last]
        return sum(len(chunk.between(start_ms, end_ms)) for chunk in inside)

    def newest(self, start_ms: int | None, end_ms: int | None, filter: Filter, most: int) -> RunColumns | None:
        """Return the newest runs of [start_ms, end_ms), or None when there may be newer ones than memory has.

        Args:
            start_ms: Epoch ms, None for no bound.
            end_ms: Epoch ms, None for no bound.
            filter: As for `RunColumns.matching`.
            most: How many at most.
        """
        with self._lock:
            chunks, covered_since_ms = list(self._chunks), self._covered_since_ms
        found: list[RunColumns] = []
        wanted = most
        for chunk in reversed(chunks):
            low = 0 if start_ms is None else int(np.searchsorted(chunk.created_at_ms, start_ms))
            high = len(chunk) if end_ms is None else int(np.searchsorted(chunk.created_at_ms, end_ms))
            if covered_since_ms is not None:
                low = max(low, int(np.searchsorted(chunk.created_at_ms, covered_since_ms)))
            part = chunk.chosen(slice(low, high)).matching(filter)
            found.insert(0, part.chosen(slice(max(0, len(part) - wanted), None)))
            wanted -= len(found[0])
            if wanted <= 0:
                return RunColumns.joined(found, self.names)
            if start_ms is not None and low > 0:
                break
        if covered_since_ms is not None and (start_ms is None or covered_since_ms > start_ms):
            return None
        return RunColumns.joined(found, self.names)

    def _insert(self, new: RunColumns) -> None:
        """Put runs where they belong; the caller holds the lock."""
        if self._chunks and new.place(0) < self._chunks[-1].place(-1):
            # Each goes to the last chunk that begins before it.
            begins = [chunk.place(0) for chunk in self._chunks]
            places = zip(new.created_at_ms.tolist(), new.id.tolist(), strict=True)
            belongs = np.array([max(0, bisect_right(begins, place) - 1) for place in places])
        else:
            belongs = np.full(len(new), max(0, len(self._chunks) - 1))
        for index in np.unique(belongs)[::-1].tolist():
            old = self._chunks[index : index + 1]
            whole = RunColumns.joined([*old, new.chosen(belongs == index)], self.names).in_order()
            self._chunks[index : index + 1] = [whole] if len(whole) <= 2 * self._chunk_runs else self._cut(whole)

    def _cut(self, runs: RunColumns) -> list[RunColumns]:
        step = self._chunk_runs
        return [runs.chosen(np.arange(low, min(low + step, len(runs)))) for low in range(0, len(runs), step)]


def _chunks_between(chunks: Sequence[RunColumns], start_ms: int, end_ms: int) -> tuple[int, int]:
    first = max(0, bisect_right(chunks, start_ms - 1, key=lambda chunk: chunk.place(0)[0]) - 1)
    last = bisect_right(chunks, end_ms - 1, key=lambda chunk: chunk.place(0)[0])
    return min(first, last), last
