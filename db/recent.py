"""The newest detail rows in memory, so that a page's numbers cost no query."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy.engine import Connection, Engine

from collector.events import Metric, SchedulerRun
from db.chunk import DTYPES, Chunk
from db.columns import DetailColumns, Names, chunk_of_metrics
from db.detail import newest_rows
from db.engine import snapshot
from db.errors import unavailable_as_ours
from db.labels import KnownLabels
from db.state import DETAIL_SINCE_MS, read_state
from db.url_search import UrlSearch

_FOREVER_MS = 1 << 62


class RecentDetail:
    """A bounded copy of the newest page metrics, complete from `covered_since_ms` on.

    The rows are kept in time order in chunks. A chunk's rows never change once they are visible: a late row makes new
    chunks in place of the ones it belongs to, so that a reader's snapshot needs neither a copy nor a lock. Late rows
    wait until somebody reads, or until they are many: batches of several senders are hardly ever in order, and to put
    each in its place alone would cost more than storing it.

    Args:
        max_rows: Rows to keep at most (about 200 bytes each).
    """

    def __init__(self, max_rows: int = 250_000) -> None:
        if max_rows < 1:
            raise ValueError(f"max_rows must be at least 1, got {max_rows}")
        self._max_rows = max_rows
        self._chunk_rows = max(1, min(65_536, max_rows // 32))
        self._lock = threading.Lock()  # protects everything below: a change of chunks is seen whole or not at all
        self._chunks: list[Chunk] = []
        self._late: list[Chunk] = []  # in the order of their arrival, each for itself in order of time
        self._size = 0  # of both
        self._covered_since_ms: int | None = None
        self._version = 0
        self._search = UrlSearch(max_rows + max_rows // 2)
        self.sources = Names()
        self.outcomes = Names()
        self.labels = KnownLabels()

    @property
    def covered_since_ms(self) -> int | None:
        """Everything recorded at or after this moment is here, epoch ms; None when everything there is, is here."""
        with self._lock:
            return self._covered_since_ms

    @property
    def version(self) -> int:
        """A number that grows with every batch, also with one that changed nothing here."""
        with self._lock:
            return self._version

    def __len__(self) -> int:
        with self._lock:
            return self._size

    def load(self, engine: Engine, *, also: Callable[[Connection], object] | None = None) -> int:
        """Fill the memory with the newest rows of the database; call it before the first batch is stored.

        Args:
            engine: A migrated database.
            also: Called first with the connection, to read something else of the very same moment.

        Returns:
            Number of rows loaded.

        Raises:
            DatabaseUnavailable: The database can't be asked.
        """
        with unavailable_as_ours(engine), snapshot(engine) as connection:
            if also is not None:
                also(connection)
            chunks, covered_since_ms = newest_rows(
                connection, self._max_rows, self.sources, self.outcomes, chunk_rows=self._chunk_rows
            )
            # What retention has deleted lives on in the rollups: memory doesn't hold "everything there is" then.
            deleted_before_ms = read_state(connection).get(DETAIL_SINCE_MS)
        if deleted_before_ms is not None:
            covered_since_ms = max(deleted_before_ms, covered_since_ms or deleted_before_ms)
        for chunk in chunks:
            self.labels.add(chunk.arrays["labels"].tolist())
        with self._lock:
            self._chunks, self._late = chunks, []
            self._size = sum(chunk.size for chunk in chunks)
            self._covered_since_ms = covered_since_ms
            self._version += 1
            return self._size

    def forget_before(self, moment_ms: int) -> None:
        """Drop what retention has deleted from the database.

        Args:
            moment_ms: Rows recorded before this moment go, epoch ms.
        """
        with self._lock:
            self._settle()
            kept = []
            for chunk in self._chunks:
                low = int(np.searchsorted(chunk.times(), moment_ms))
                if low < chunk.size:
                    kept.append(chunk if low == 0 else chunk.chosen(np.arange(low, chunk.size)))
            self._chunks = kept
            self._size = sum(chunk.size for chunk in kept)
            self._covered_since_ms = max(moment_ms, self._covered_since_ms or moment_ms)
            self._version += 1

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

    def append(self, metrics: Sequence[Metric]) -> None:
        """Take in what was just stored: a listener of the store.

        Args:
            metrics: In any order of time; scheduler runs are left out, and rows older than what is covered too.
        """
        pages = [metric for metric in metrics if not isinstance(metric, SchedulerRun)]
        new = chunk_of_metrics(pages, self.sources, self.outcomes)
        self.labels.add(new.arrays["labels"].tolist())
        with self._lock:
            self._version += 1
            if self._covered_since_ms is not None:
                new = new.part(int(np.searchsorted(new.times(), self._covered_since_ms)), new.size)
            if new.size:
                self._size += new.size
                if self._late or not self._follows(new):
                    self._late.append(new)
                else:
                    self._add_at_end(new)
                if self._size > self._max_rows or sum(chunk.size for chunk in self._late) >= self._chunk_rows:
                    self._settle()
                    self._evict()

    def touch(self, *_: object) -> None:
        """Note that something was stored that isn't kept here: answers that were given before have to be found again.

        A listener of what is told about runs.
        """
        with self._lock:
            self._version += 1

    def warm(self) -> None:
        """Number the URLs: who first looks for a text in them needn't wait for it."""
        rows, _, _ = self.snapshot(None, None)
        self._search.number(rows.chunks)

    def columns(self, start_ms: int | None = None, end_ms: int | None = None) -> DetailColumns:
        """Return the rows of [start_ms, end_ms) as they are now; later changes don't show in it.

        Args:
            start_ms: Epoch ms; what lies before `covered_since_ms` is never returned. None for all.
            end_ms: Epoch ms, None for all.
        """
        return self.snapshot(start_ms, end_ms)[0]

    def snapshot(self, start_ms: int | None, end_ms: int | None) -> tuple[DetailColumns, int | None, int]:
        """Return rows with the state that they were read in.

        Args:
            start_ms: As for `columns`.
            end_ms: As for `columns`.

        Returns:
            (rows, covered_since_ms, version), all of one moment.
        """
        with self._lock:
            self._settle()
            covered_since_ms, version = self._covered_since_ms, self._version
            # The arrays are shared; a size is read here once because appending in place changes it.
            chunks = [chunk.view() for chunk in self._chunks]
        for chunk in chunks:
            chunk.search = self._search
        if covered_since_ms is not None:
            start_ms = covered_since_ms if start_ms is None else max(start_ms, covered_since_ms)
        if start_ms is None:
            start_ms = -_FOREVER_MS
        # A span that ends before memory begins has no rows here, whatever rows of before there may be.
        end_ms = max(start_ms, _FOREVER_MS if end_ms is None else end_ms)
        parts = []
        for chunk in chunks:
            times = chunk.times()
            if times[-1] < start_ms or times[0] >= end_ms:
                continue
            if times[0] >= start_ms and times[-1] < end_ms:
                parts.append(chunk)
            else:
                low, high = np.searchsorted(times, (start_ms, end_ms))
                parts.append(chunk.part(int(low), int(high)))
        return DetailColumns(parts, self.sources, self.outcomes), covered_since_ms, version

    def may_have_since(self, start_ms: int) -> bool:
        """Say whether there may be rows from some moment on (epoch ms), here or before what is covered."""
        rows, covered_since_ms, _ = self.snapshot(start_ms, None)
        return len(rows) > 0 or (covered_since_ms is not None and covered_since_ms > start_ms)

    def _follows(self, new: Chunk) -> bool:
        """Say whether rows belong behind all others; the caller holds the lock."""
        return not self._chunks or bool(new.times()[0] >= self._chunks[-1].times()[-1])

    def _settle(self) -> None:
        """Put late rows where their time belongs; the caller holds the lock."""
        if self._late:
            late, self._late = self._late, []
            self._insert(late[0] if len(late) == 1 else _joined(late))

    def _insert(self, new: Chunk) -> None:
        if self._follows(new):
            self._add_at_end(new)
            return
        first_ms = int(new.times()[0])
        # Each late row goes to the last chunk that starts at or before it.
        starts = [int(chunk.times()[0]) for chunk in self._chunks]
        first = index = max(0, bisect_right(starts, first_ms) - 1)
        rebuilt: list[Chunk] = []
        low = 0
        while low < new.size:
            following_ms = starts[index + 1] if index + 1 < len(starts) else _FOREVER_MS
            high = int(np.searchsorted(new.times(), following_ms))
            chunk = self._chunks[index]
            rebuilt += self._merged(chunk, new.part(low, high)) if high > low else [chunk]
            low = high
            index += 1
        self._chunks[first:index] = rebuilt

    def _merged(self, chunk: Chunk, new: Chunk) -> list[Chunk]:
        # Late rows mostly belong near each other: only what lies between the first and the last of them is sorted, the
        # rest is copied as it is, which costs a tenth of picking every row.
        low, high = np.searchsorted(chunk.times(), (new.times()[0], new.times()[-1]), side="right")
        order = np.argsort(np.concatenate((chunk.times()[low:high], new.times())), kind="stable")
        arrays = {
            name: np.concatenate((
                array[:low],
                np.concatenate((array[low:high], new.arrays[name][: new.size]))[order],
                array[high : chunk.size],
            ))
            for name, array in chunk.arrays.items()
        }  # fmt: skip
        merged = Chunk(arrays, chunk.size + new.size)
        if merged.size <= 2 * self._chunk_rows:
            return [merged]
        step = self._chunk_rows
        return [merged.chosen(np.arange(low, min(low + step, merged.size))) for low in range(0, merged.size, step)]

    def _add_at_end(self, new: Chunk) -> None:
        low = 0
        while low < new.size:
            last = self._chunks[-1] if self._chunks else None
            if last is None or last.size >= self._chunk_rows:
                last = Chunk(_empty_arrays(min(self._chunk_rows, max(64, new.size - low))), 0)
                self._chunks.append(last)
            taken = min(new.size - low, self._chunk_rows - last.size)
            self._grow(last, last.size + taken)
            for name, array in last.arrays.items():
                array[last.size : last.size + taken] = new.arrays[name][low : low + taken]
            last.size += taken
            low += taken

    def _grow(self, chunk: Chunk, rows: int) -> None:
        capacity = len(chunk.arrays["created_at_ms"])
        if rows <= capacity:
            return
        bigger = _empty_arrays(min(self._chunk_rows, max(rows, 2 * capacity)))
        for name, array in chunk.arrays.items():
            bigger[name][: chunk.size] = array[: chunk.size]
        chunk.arrays = bigger

    def _evict(self) -> None:
        """Forget the oldest chunks until the rest fits; the caller holds the lock."""
        while self._size > self._max_rows:
            gone = self._chunks.pop(0)
            self._size -= gone.size
            # Rows of the very same millisecond may be left; from the next one on everything is here.
            self._covered_since_ms = int(gone.times()[-1]) + 1


def _joined(chunks: Sequence[Chunk]) -> Chunk:
    """Return the rows of all in order of time; of one moment, those of an earlier chunk come first."""
    order = np.argsort(np.concatenate([chunk.times() for chunk in chunks]), kind="stable")
    arrays = {
        name: np.concatenate([chunk.arrays[name][: chunk.size] for chunk in chunks])[order] for name in chunks[0].arrays
    }
    return Chunk(arrays, len(order))


def _empty_arrays(rows: int) -> dict[str, npt.NDArray[Any]]:
    return {name: np.empty(rows, dtype=dtype) for name, dtype in DTYPES.items()}
