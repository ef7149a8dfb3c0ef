"""A night's maintenance while metrics keep coming: how long it takes, and what the senders notice."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from app import OPEN_HOUR_MS
from bench.storage.program import Program, Ticks
from bench.storage.times import say, spread
from collector.sinks import Batch
from db.engine import make_engine
from db.maintenance import maintain

BATCHES_PER_S = 50
BATCH_ROWS = 40
# Nights, as many as it takes: where partitions are dropped, one is over within a second, and has too few sends for a
# 99th percentile. Of the seven days, those before so many midnights go: one whole day and the part of one before it,
# then a day each.
KEPT_DAYS = (5, 4, 3, 2)
ENOUGH_SENDS = 600
_PAUSE_S = 2.0
_START_S = 30.0
_SHOWN_STATEMENTS = 8


class Ingest:
    """A steady stream of batches through the program's store, in a thread; each send is timed.

    Args:
        program: The program.
        ticks: What the batches are made of.
    """

    def __init__(self, program: Program, ticks: Ticks) -> None:
        self._program, self._ticks = program, ticks
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest")
        self.sent: list[tuple[float, float]] = []  # (when it was begun, ms); written by the thread alone
        self.failures: list[str] = []
        self.late = 0

    def __enter__(self) -> Ingest:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def between(self, start_s: float, end_s: float) -> list[float]:
        """Return how long each send took, ms, that was begun in a span or lasted into it."""
        return [ms for at_s, ms in list(self.sent) if at_s < end_s and at_s + ms / 1000 > start_s]

    def _run(self) -> None:
        step_s, number = 1 / BATCHES_PER_S, 0
        due_s = time.perf_counter()
        while not self._stop.is_set():
            metrics, self._program.clock.now_ms = self._ticks.next(step_s)
            batch = Batch(f"steady-{number}", tuple(metrics))
            number += 1
            begun_s = time.perf_counter()
            try:
                self._program.board.store.send(batch)
            except Exception as exc:  # noqa: BLE001 - the bench goes on and reports it
                self.failures.append(repr(exc)[:200])
            ended_s = time.perf_counter()
            self.sent.append((begun_s, (ended_s - begun_s) * 1000))
            due_s += step_s
            if ended_s > due_s:  # no catching up: a pause of the database isn't paid back in a burst
                self.late += 1
                due_s = ended_s
            self._stop.wait(due_s - ended_s)


class Statements:
    """The time that each statement of an engine takes, by its text without values."""

    def __init__(self, engine: Engine) -> None:
        self.spent_ms: defaultdict[str, list[float]] = defaultdict(list)
        self._engine = engine
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)

    def stop(self) -> None:
        """Watch no longer."""
        event.remove(self._engine, "before_cursor_execute", self._before)
        event.remove(self._engine, "after_cursor_execute", self._after)

    def drops(self) -> list[float]:
        """Return how long each dropping of a partition took, ms."""
        return [round(ms, 1) for sql, took in self.spent_ms.items() if "DROP PARTITION" in sql for ms in took]

    def longest(self) -> list[dict[str, Any]]:
        """Return the statements that took most of the time."""
        by_time = sorted(self.spent_ms.items(), key=lambda pair: -sum(pair[1]))[:_SHOWN_STATEMENTS]
        return [{"sql": sql[:160], "times": len(took), "ms": round(sum(took), 1)} for sql, took in by_time]

    def _before(self, _connection: Any, _cursor: Any, _sql: str, _values: Any, context: Any, _many: bool) -> None:
        context.begun_s = time.perf_counter()

    def _after(self, _connection: Any, _cursor: Any, sql: str, _values: Any, context: Any, _many: bool) -> None:
        self.spent_ms[sql].append((time.perf_counter() - context.begun_s) * 1000)


def measure_retention(url: str, program: Program, ticks: Ticks, *, quiet_s: float) -> dict[str, Any]:
    """Maintain while batches land: first with nothing to delete, then some nights with a day to delete.

    Args:
        url: The program's database.
        program: The program; its rollups run beside, as they always do.
        ticks: What lands.
        quiet_s: How long to watch the senders before.
    """
    report: dict[str, Any] = {"batches_per_s": BATCHES_PER_S, "batch_rows": BATCH_ROWS}
    engine = make_engine(url=url, io_timeout_s=600)
    first_day_ms = program.clock.now_ms
    program.board.reader.start()
    program.board.reader.ready(_START_S)
    program.board.rollups.start(also=partial(program.board.jobs.run_once, open_every_ms=OPEN_HOUR_MS))
    summaries = _summaries(engine, first_day_ms)
    with Ingest(program, ticks) as ingest:
        begun_s = time.perf_counter()
        time.sleep(quiet_s)
        quiet = report["send_quiet_ms"] = spread(ingest.between(begun_s, time.perf_counter()))
        say(f"retention: sends took {quiet} ms in quiet")
        report["nothing_to_delete"], during_ms = _night(engine, program, ingest, 7 + 1)
        report["nothing_to_delete"] |= _beside(during_ms, quiet)
        nights, during_ms = [], []
        for days in KEPT_DAYS:
            night, its_ms = _night(engine, program, ingest, days)
            nights.append(night)
            during_ms += its_ms
            if len(during_ms) >= ENOUGH_SENDS:
                break
        report["days_to_delete"] = {**_beside(during_ms, quiet), "nights": nights}
        say(f"retention: {report['days_to_delete']}")
    program.board.rollups.stop()
    program.board.reader.stop()
    report["spans_read_in_another_process"] = program.board.reader.asked
    report["sends_that_came_late"], report["sends_failed"] = ingest.late, ingest.failures[:5]
    report["daily_summaries_unchanged"] = bool(summaries) and summaries == _summaries(engine, first_day_ms)
    report["daily_summaries_compared"] = len(summaries)
    engine.dispose()
    return report


def _night(engine: Engine, program: Program, ingest: Ingest, days: int) -> tuple[dict[str, Any], list[float]]:
    """Maintain once; return what it did, and how long each send took meanwhile, ms."""
    statements = Statements(engine)
    begun_s = time.perf_counter()
    deleted = maintain(
        engine, days, present_ms=program.clock.now_ms, rollups=program.board.rollups, jobs=program.board.jobs
    )
    ended_s = time.perf_counter()
    statements.stop()
    time.sleep(_PAUSE_S)
    drops = statements.drops()
    return {
        "deleted_rows": deleted,
        "total_s": round(ended_s - begun_s, 3),
        "drop_partition_ms": drops if drops else "no partitions" if engine.dialect.name == "sqlite" else [],
        "longest_statements": statements.longest(),
    }, ingest.between(begun_s, ended_s)


def _beside(during_ms: list[float], quiet: Mapping[str, float]) -> dict[str, Any]:
    """Return how long sends took beside the maintenance, and how that compares with none."""
    during = spread(during_ms)
    return {
        "send_ms": during,
        "send_p99_during_to_quiet": round(during["p99"] / quiet["p99"], 2) if "p99" in during else None,
    }


def _summaries(engine: Engine, now_ms: int) -> list[tuple[Any, ...]]:
    """Return all daily summaries of days that are over."""
    day = time.strftime("%Y-%m-%d", time.gmtime(now_ms / 1000))
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT * FROM scraper_daily_summary WHERE metric_date < :day ORDER BY metric_date, scraper_source"),
            {"day": day},
        )
        return [tuple(row) for row in rows]
