"""Scheduler runs as numpy columns: how they are read from the database and from metrics, and how they are narrowed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Integer, Select, case, select, type_coerce
from sqlalchemy.engine import Connection

from collector import fields
from collector.events import SchedulerRun
from db.chunk import BoolArray, CodeArray, ObjectArray
from db.columns import Names
from db.error_kinds import kind_of_error
from db.events import run_conditions
from db.models import SchedulerMetric as Run
from db.results import Filter, FloatArray, IntArray, SchedulerRunRow

_FETCH_ROWS = 20_000
_DTYPES: dict[str, Any] = {
    "created_at_ms": np.int64,
    "id": np.int64,
    "name": np.int32,
    "source": np.int32,
    "duration_ms": np.float64,
    "items": np.int64,
    "success": np.bool_,
    "error": np.object_,
    "run_id": np.object_,
}


class RunColumns:
    """Runs in the order of (created_at, id); the arrays are never changed.

    Args:
        arrays: One array for each name of the columns below, of equal length.
        names: Names of jobs and scrapers, by their numbers.
    """

    __slots__ = ("_arrays", "names")

    def __init__(self, arrays: dict[str, npt.NDArray[Any]], names: Names) -> None:
        self._arrays = arrays
        self.names = names

    @classmethod
    def of_rows(cls, rows: Sequence[tuple[Any, ...]], names: Names) -> RunColumns:
        """Make columns of rows.

        Args:
            rows: (created_at_ms, id, job, scraper or None, duration_ms, items, success, error, run_id), in any order.
            names: Gives jobs and scrapers their numbers.
        """
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(_DTYPES)
        values: dict[str, Sequence[Any]] = dict(zip(_DTYPES, columns, strict=True))
        values["name"] = [names.code(name) for name in values["name"]]
        values["source"] = [-1 if source is None else names.code(source) for source in values["source"]]
        arrays: dict[str, npt.NDArray[Any]] = {}
        for column, dtype in _DTYPES.items():
            array = np.empty(len(rows), dtype=dtype)
            array[:] = values[column]
            arrays[column] = array
        return cls(arrays, names).in_order()

    @classmethod
    def joined(cls, parts: Sequence[RunColumns], names: Names) -> RunColumns:
        """Put parts behind each other.

        Args:
            parts: Each later than the one before.
            names: Theirs.
        """
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return cls({column: np.empty(0, dtype=dtype) for column, dtype in _DTYPES.items()}, names)
        return cls({column: np.concatenate([part._arrays[column] for part in parts]) for column in _DTYPES}, names)

    def __len__(self) -> int:
        return len(self._arrays["id"])

    @property
    def created_at_ms(self) -> IntArray:
        """When each run was recorded: when it ended, epoch ms, rising."""
        return self._arrays["created_at_ms"]

    @property
    def id(self) -> IntArray:
        """The rows' ids in the database; they rise among runs of one moment."""
        return self._arrays["id"]

    @property
    def name(self) -> CodeArray:
        """The number of each run's job in `names`."""
        return self._arrays["name"]

    @property
    def source(self) -> CodeArray:
        """The number of each run's scraper in `names`, -1 without one."""
        return self._arrays["source"]

    @property
    def duration_ms(self) -> FloatArray:
        """How long each run took."""
        return self._arrays["duration_ms"]

    @property
    def items(self) -> IntArray:
        """Items processed."""
        return self._arrays["items"]

    @property
    def success(self) -> BoolArray:
        """Whether it went well."""
        return self._arrays["success"]

    @property
    def error(self) -> ObjectArray:
        """The error text, str or None."""
        return self._arrays["error"]

    @property
    def start_ms(self) -> FloatArray:
        """When each run began, epoch ms."""
        return self.created_at_ms - self.duration_ms

    def place(self, index: int) -> tuple[int, int]:
        """Return (created_at_ms, id) of one run."""
        return int(self.created_at_ms[index]), int(self.id[index])

    def chosen(self, which: Any) -> RunColumns:
        """Return the runs that a slice, a mask or an array of rising indices picks."""
        return RunColumns({column: array[which] for column, array in self._arrays.items()}, self.names)

    def in_order(self) -> RunColumns:
        """Return the runs by (created_at, id); these themselves when they are."""
        times, ids = self.created_at_ms, self.id
        if len(self) < 2 or bool(
            ((times[1:] > times[:-1]) | ((times[1:] == times[:-1]) & (ids[1:] >= ids[:-1]))).all()
        ):
            return self
        return self.chosen(np.lexsort((ids, times)))

    def between(self, start_ms: int, end_ms: int) -> RunColumns:
        """Return the runs that were recorded in [start_ms, end_ms)."""
        low, high = np.searchsorted(self.created_at_ms, (start_ms, end_ms))
        return self if (low, high) == (0, len(self)) else self.chosen(slice(low, high))

    def matching(self, filter: Filter) -> RunColumns:
        """Return the runs that a filter lets through.

        Args:
            filter: As for `db.events.run_conditions`.
        """
        mask = matches(self.name, self.source, self.names, filter)
        if filter.without_runs:
            mask[:] = False
        if filter.error:
            mask &= ~self.success
            for place in np.flatnonzero(mask).tolist():
                mask[place] = kind_of_error(self.error[place] or "") == filter.error
        if filter.result != "all":
            mask &= self.success == (filter.result == "ok")
        return self if bool(mask.all()) else self.chosen(mask)

    def rows(self) -> tuple[SchedulerRunRow, ...]:
        """Return the runs as pages read them, newest first."""
        columns = [array[::-1].tolist() for array in self._arrays.values()]
        return tuple(
            SchedulerRunRow(
                id=f"s:{id}", scheduler_name=self.names[name], source=None if source < 0 else self.names[source],
                duration_ms=duration_ms, items=items, success=success, error=error, recorded_at_ms=at_ms, run_id=run_id,
            )
            for at_ms, id, name, source, duration_ms, items, success, error, run_id in zip(*columns, strict=True)
        )  # fmt: skip


def matches(name: CodeArray, source: CodeArray, names: Names, filter: Filter) -> BoolArray:
    """Say which runs, or rows about them, a filter's sources let through, bool[n].

    Args:
        name: Numbers of the jobs, [n].
        source: Numbers of their scrapers, [n].
        names: What the numbers mean.
        filter: Its sources match either.
    """
    if not filter.sources:
        return np.ones(len(name), dtype=np.bool_)
    codes = [code for code in map(names.known, filter.sources) if code is not None]
    return np.isin(name, codes) | np.isin(source, codes)


def runs_of_metrics(stored: Iterable[tuple[int, SchedulerRun]], names: Names) -> RunColumns:
    """Return what the store was given as columns.

    Args:
        stored: (id, run), in any order.
        names: Gives jobs and scrapers their numbers.
    """
    return RunColumns.of_rows(
        [
            (
                run.recorded_at_ms, id, run.scheduler_name, run.scraper_source, run.execution_duration_ms,
                run.items_processed, run.success,
                None if run.error is None else run.error[: fields.MAX_ERROR_CHARS], run.run_id,
            )
            for id, run in stored
        ],
        names,
    )  # fmt: skip


def newest_columns(connection: Connection, most: int, names: Names) -> tuple[RunColumns, int | None]:
    """Read the newest runs.

    Args:
        connection: An open connection.
        most: How many at most.
        names: Gives jobs and scrapers their numbers.

    Returns:
        (runs, the moment from which on nothing is missing or None when these are all).
    """
    # The newest one that doesn't fit any more. Its whole millisecond is left out, so the border is sharp.
    too_old_ms = connection.scalar(select(Run.created_at).order_by(Run.created_at.desc()).offset(most).limit(1))
    since_ms = None if too_old_ms is None else too_old_ms + 1
    return _read(connection, _statement(since_ms, None, Filter(), texts=True), names), since_ms


def read_runs(
    connection: Connection, start_ms: int, end_ms: int, names: Names, filter: Filter = Filter()
) -> RunColumns:
    """Read the runs of a span, with the error text of those that failed and without run ids.

    Args:
        connection: An open connection.
        start_ms: Epoch ms, inclusive.
        end_ms: Epoch ms, exclusive.
        names: Gives jobs and scrapers their numbers.
        filter: As for `RunColumns.matching`.
    """
    runs = _read(connection, _statement(start_ms, end_ms, filter, texts=False), names)
    return runs.matching(filter) if filter.error else runs  # SQL doesn't fold errors


def newest_runs_of(
    connection: Connection, end_ms: int, most: int, names: Names, filter: Filter = Filter()
) -> RunColumns:
    """Read the newest runs before a moment, without run ids.

    Args:
        connection: An open connection.
        end_ms: Epoch ms, exclusive.
        most: How many at most.
        names: Gives jobs and scrapers their numbers.
        filter: As for `RunColumns.matching`.
    """
    statement = _statement(None, end_ms, filter, texts=False)
    newest = statement.order_by(None).order_by(Run.created_at.desc(), Run.id.desc()).limit(most)
    return _read(connection, newest.with_hint(Run, "FORCE INDEX (ix_scheduler_created)", "mysql"), names, newest=True)


def _statement(start_ms: int | None, end_ms: int | None, filter: Filter, *, texts: bool) -> Select[Any]:
    error = Run.error if texts else case((Run.success, None), else_=Run.error)
    return (
        select(
            Run.created_at, Run.id, Run.scheduler_name, Run.scraper_source, Run.execution_duration_ms,
            Run.items_processed, type_coerce(Run.success, Integer), error, *([Run.run_id] if texts else []),
        )
        .where(*run_conditions(start_ms, end_ms, filter))
        .order_by(Run.created_at, Run.id)
    )  # fmt: skip


def _read(connection: Connection, statement: Select[Any], names: Names, *, newest: bool = False) -> RunColumns:
    result = connection.execution_options(stream_results=True, max_row_buffer=_FETCH_ROWS).execute(statement)
    missing = (None,) * (len(_DTYPES) - len(statement.selected_columns))
    parts = [RunColumns.of_rows([(*row, *missing) for row in part], names) for part in result.partitions(_FETCH_ROWS)]
    # Each part is put in order; parts that come newest first are turned round.
    return RunColumns.joined(parts[::-1] if newest else parts, names)
