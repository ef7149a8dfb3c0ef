"""What collectors say of themselves is seen by every process, written seldom, and forgotten after a day."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.engine import Engine

from db.clocks import CORRECTED_FROM_MS, Clocks
from db.collectors import Collectors, line_of, read_collectors, totals_of, write_collectors
from db.store import Store
from tests.db.samples import NOON_MS, report

DAY_MS = 86_400_000


class Process:
    """One app process on a clock that is turned by hand."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.now_ms = NOON_MS
        self.collectors = Collectors(engine, clock_ms=lambda: self.now_ms)

    def hear(self, collector_id: str = "c1", **changes: object) -> None:
        self.collectors.heard(report(collector_id, **{"sent_at_ms": self.now_ms, **changes}), self.now_ms)


def known(engine: Engine, now_ms: int = NOON_MS) -> dict[str, int]:
    with engine.connect() as connection:
        return {line.collector_id: line.recorded for line in read_collectors(connection, now_ms)}


def test_report_comes_back_as_it_was_told(engine: Engine) -> None:
    told = report(dropped={"queue_full": 3, "näh": 1}, last_error="näh 🕸", last_flush_at_ms=None)
    write_collectors(engine, [line_of(told, NOON_MS + 250, "http")], NOON_MS)
    with engine.connect() as connection:
        (line,) = read_collectors(connection, NOON_MS)
    assert line == line_of(told, NOON_MS + 250, "http")
    assert (line.skew_ms, line.started_ms, line.heard_ms) == (250, told.started_at_ms + 250, NOON_MS + 250)


def test_busy_collector_is_written_once_in_five_seconds_and_at_the_end(engine: Engine) -> None:
    process = Process(engine)
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    written = 0
    for second in range(12):
        process.now_ms = NOON_MS + second * 1_000
        process.hear(recorded=second)
        statements.clear()
        written += process.collectors.flush()
        assert statements or second % 5
    assert written == 3  # at 0, 5 and 10 seconds
    assert known(engine) == {"c1": 10}
    assert process.collectors.flush(all=True) == 1
    assert known(engine) == {"c1": 11}


def test_what_another_process_heard_later_stays(engine: Engine) -> None:
    one, other = Process(engine), Process(engine)
    one.hear(recorded=1)
    other.now_ms += 2_000
    other.hear(recorded=2)
    for process, metrics in ((other, 5), (one, 3)):
        process.collectors.clocks.read("c1", NOON_MS, NOON_MS)
        process.collectors.clocks.count("c1", metrics)
    other.collectors.flush()
    one.collectors.flush()
    with engine.connect() as connection:
        (line,) = read_collectors(connection, NOON_MS)
    assert (line.recorded, line.corrected) == (2, 8)


def test_silent_collector_is_away_and_forgotten_after_a_day(engine: Engine) -> None:
    process = Process(engine)
    process.hear("old")
    process.hear("app", interval_s=5.0)
    process.collectors.flush()
    with engine.connect() as connection:
        lines = read_collectors(connection, NOON_MS)
    assert [line.is_away(NOON_MS + 15_001) for line in lines] == [line.interval_s == 5.0 for line in lines]
    assert totals_of(lines, NOON_MS + 90_001).away == 2
    process.now_ms += DAY_MS + 1
    process.hear("new")
    process.collectors.flush()
    assert known(engine) == {"new": 100}  # also in the table: old ones are deleted


def test_reports_wait_while_the_database_is_away(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process(engine)
    process.hear()

    def away(*_: object, **__: object) -> None:
        from db.errors import DatabaseUnavailable

        raise DatabaseUnavailable("here", "it is away")

    with monkeypatch.context() as patch:
        patch.setattr("db.collectors.write_collectors", away)
        assert process.collectors.flush() == 0
    assert process.collectors.flush() == 1
    assert known(engine) == {"c1": 100}


def test_collector_that_writes_into_the_database_itself_is_seen_too(engine: Engine, store: Store) -> None:
    store.report(report("direct"))
    with engine.connect() as connection:
        (line,) = read_collectors(connection, NOON_MS)
    assert (line.collector_id, line.way) == ("direct", "database")


def test_lag_is_the_time_since_the_last_delivery_while_something_waits() -> None:
    line = line_of(report(), NOON_MS, "http")
    assert line.lag_ms == 2_000
    assert replace(line, pending=0).lag_ms == 0
    assert replace(line, last_flush_ms=None).lag_ms == 3_600_000


@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(0, 3_000)), min_size=1, max_size=20))
def test_clock_is_corrected_by_what_it_is_off_and_steadily(readings: list[tuple[int, int]]) -> None:
    clocks = Clocks()
    before_hours, known_ms = None, 0
    for hours_off, delay_ms in readings:
        off_ms = hours_off * 3_600_000
        reading = clocks.read("c1", NOON_MS - off_ms, NOON_MS + delay_ms)
        assert reading.skew_ms == off_ms + delay_ms
        if before_hours in (None, hours_off) or off_ms + delay_ms < known_ms:
            assert abs(reading.correction_ms - off_ms) <= 5_000
            assert (reading.correction_ms == 0) == (abs(off_ms + delay_ms) <= CORRECTED_FROM_MS)
        elif abs(off_ms - known_ms) > 5_000:
            assert reading.correction_ms == known_ms  # it may just have come late: the next one tells
        before_hours, known_ms = hours_off, reading.correction_ms


def test_request_that_came_late_moves_no_clock_but_a_slow_clock_is_known_by_its_second() -> None:
    clocks = Clocks()
    readings = [clocks.read("c1", NOON_MS, NOON_MS + skew_ms) for skew_ms in (20, 120_000, 30, 3_600_000, 3_600_010)]
    assert [reading.correction_ms for reading in readings] == [0, 0, 0, 0, 3_600_010]
    assert clocks.read("c1", NOON_MS, NOON_MS + 3_603_000).correction_ms == 3_600_010
    assert clocks.read("c1", NOON_MS, NOON_MS - 3_600_000).correction_ms == -3_600_000
