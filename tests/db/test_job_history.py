"""Whatever the order of arrival, the memory's size and the rollups' state: what is said of scheduler runs is right."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Integer, select, type_coerce
from sqlalchemy.engine import Engine

from collector.events import SchedulerRun
from db.events import newest_runs
from db.job_history import JobHistory
from db.job_rollups import JobRollups
from db.models import SchedulerMetric
from db.queries import Queries
from db.recent import RecentDetail
from db.recent_runs import RecentRuns
from db.results import Filter, TimeRange
from db.retention import cleanup
from db.store import Store
from tests.db.brute_force import empty
from tests.db.job_truth import Stored, check_series, check_summary, inside
from tests.db.samples import NOON_MS, batch, run

HOUR_MS, MINUTE_MS, DAY_MS = 3_600_000, 60_000, 86_400_000
NOW_MS = NOON_MS + HOUR_MS + 17 * MINUTE_MS

moments = st.one_of(
    st.sampled_from([0, 1, MINUTE_MS - 1, MINUTE_MS, HOUR_MS - 1, HOUR_MS, -1, -HOUR_MS, -12 * HOUR_MS, -DAY_MS]),
    st.integers(-2 * HOUR_MS, 2 * HOUR_MS),
    st.integers(-3 * DAY_MS, 2 * HOUR_MS),
).map(lambda offset: NOON_MS + offset)
durations = st.one_of(st.integers(0, 3), st.floats(0, 1e6), st.sampled_from([100, 100.5]))
names = st.sampled_from(["a", "A", "b", "ü"])


def runs_of(lengths_ms: Any) -> Any:
    return st.lists(
        st.builds(
            lambda name, at_ms, **rest: run(name, at_ms, **rest),
            names, moments, execution_duration_ms=lengths_ms, success=st.booleans(),
            error=st.sampled_from([None, "boom", "Boom", "3 booms", "4 booms"]),
            items_processed=st.integers(0, 2**31 - 1),
            scraper_source=st.sampled_from([None, "a", "x", "y"]), run_id=st.sampled_from([None, "r1"]),
        ),
        max_size=12,
    )  # fmt: skip


spans = st.builds(
    lambda bucket_ms, first, buckets: TimeRange(
        NOON_MS + first * bucket_ms, NOON_MS + (first + buckets) * bucket_ms, bucket_ms
    ),
    st.sampled_from([10_000, 5 * MINUTE_MS, 7 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS, 6 * HOUR_MS, DAY_MS]),
    st.integers(-12, 2),
    st.integers(1, 12),
)
filters = st.builds(
    Filter,
    st.lists(st.sampled_from(["a", "A", "b", "x", "missing"]), max_size=2, unique=True).map(tuple),
    st.sampled_from(["all", "all", "ok", "failed"]),
    st.sampled_from(["", "", "", "no run has a url"]),
    error=st.sampled_from(["", "", "boom", "<n> booms", "none of these"]),
    labels=st.sampled_from([(), (), (), (), ("no=run", "has=labels")]),
    outcomes=st.sampled_from([(), (), (), (), ("ok",)]),
    kind=st.sampled_from(["all", "all", "all", "all", "scrape"]),
)
thens = st.sampled_from(["", "", "roll", "settle", "restart", "restart without marks", "other process"])
sizes = st.sampled_from([1, 2, 5, 40, 1000])


class Program:
    """A store with its readers of scheduler runs, which can be restarted on the same database."""

    def __init__(self, engine: Engine, max_runs: int, exact_runs: int = 10_000) -> None:
        self.engine = engine
        self._max_runs = max_runs
        self._exact_runs = exact_runs
        self.now_ms = NOW_MS
        self.restart()

    def restart(self, *, marked: bool = True) -> None:
        self.store = Store(self.engine)
        self.runs = RecentRuns(self._max_runs)
        self.runs.load(self.engine)
        self.rollups = JobRollups(self.engine, clock_ms=lambda: self.now_ms)
        self.store.subscribe_runs(self.runs.append)
        if marked:
            self.store.subscribe(self.rollups.mark)
        self.jobs = JobHistory(
            self.engine, self.runs, self.rollups, exact_runs=self._exact_runs, clock_ms=lambda: self.now_ms
        )
        self.queries = Queries(self.engine, RecentDetail(), jobs=self.jobs, clock_ms=lambda: self.now_ms)

    def send(self, runs: list[SchedulerRun]) -> None:
        if runs:
            self.store.send(batch(*runs))

    @property
    def stored(self) -> list[Stored]:
        """What the database holds."""
        columns = (
            SchedulerMetric.id, SchedulerMetric.scheduler_name, SchedulerMetric.execution_duration_ms,
            type_coerce(SchedulerMetric.success, Integer), SchedulerMetric.items_processed, SchedulerMetric.error,
            SchedulerMetric.scraper_source, SchedulerMetric.created_at, SchedulerMetric.run_id,
        )  # fmt: skip
        with self.engine.connect() as connection:
            return [
                (id, SchedulerRun(name, ms, bool(ok), *rest))
                for id, name, ms, ok, *rest in connection.execute(select(*columns))
            ]


@settings(max_examples=60)
@given(
    steps=st.lists(
        st.tuples(runs_of(durations), thens, st.lists(st.tuples(spans, filters), max_size=2)), min_size=1, max_size=5
    ),
    max_runs=sizes,
    exact_runs=st.sampled_from([-1, 5, 10_000]),
)
def test_summary_series_and_runs_equal_brute_force_at_every_moment(
    engine: Engine, steps: list[Any], max_runs: int, exact_runs: int
) -> None:
    empty(engine)
    program = Program(engine, max_runs, exact_runs)
    for runs, then, asked in steps:
        program.send(runs)
        if then == "roll":
            program.rollups.run_once()
        elif then == "settle":
            program.rollups.settle(NOON_MS - HOUR_MS, NOON_MS + HOUR_MS)
        elif then == "restart":
            program.restart()
        elif then == "restart without marks":
            # As if this process was killed between the commit and the listeners.
            program.restart(marked=False)
            program.send([run(at_ms=NOON_MS)])
            program.restart()
        elif then == "other process":
            JobRollups(engine, clock_ms=lambda: NOW_MS).run_once()
        stored = program.stored
        for span, filter in asked:
            own = inside(stored, span, filter)
            check_summary(program.queries.scheduler_summary(span, filter), own, exact=False, gaps=False)
            check_series(program.queries.scheduler_series(span, filter), span, own)
            with engine.connect() as connection:
                newest = newest_runs(connection, span.start_ms, span.end_ms, filter, 7)
                ever = newest_runs(connection, None, None, filter, 7)
            assert program.queries.scheduler_runs(span, filter, 7) == newest
            if not filter.without_runs:
                assert [event.id for event in program.queries.events(None, filter, 7)] == [one.id for one in ever]


@settings(max_examples=40)
@given(
    runs=st.lists(
        st.builds(
            lambda name, source, hour, second, ms, success: run(
                name, NOON_MS + hour * HOUR_MS + second * 1000, scraper_source=source, execution_duration_ms=ms,
                success=success,
            ),
            # Runs begin in the second before they end, so in the order in which they end, and in the same hour.
            names, st.sampled_from([None, "x"]), st.integers(-50, 1), st.integers(1, 3599), st.integers(0, 999),
            st.booleans(),
        ),
        max_size=60,
    ),
    late=st.integers(0, 60),
    asked=st.lists(
        st.tuples(spans, st.sampled_from([Filter(), Filter(("a",)), Filter(("x",)), Filter(result="ok")])), min_size=1
    ),
    max_runs=sizes,
)  # fmt: skip
def test_typical_intervals_from_rollups_are_within_the_sketchs_error(
    engine: Engine, runs: list[SchedulerRun], late: int, asked: list[Any], max_runs: int
) -> None:
    empty(engine)
    program = Program(engine, max_runs, exact_runs=-1)
    program.send(runs[late:])
    program.rollups.run_once()
    program.send(runs[:late])
    for span, filter in asked:
        own = inside(program.stored, span, filter)
        check_summary(program.queries.scheduler_summary(span, filter), own, exact=False, gaps=True)


@settings(max_examples=25)
@given(
    runs=runs_of(durations),
    late=runs_of(durations),
    max_runs=sizes,
    first=st.integers(-30, 1),
    hours=st.integers(1, 40),
)
def test_numbers_survive_the_deletion_of_the_runs(
    engine: Engine, runs: list[SchedulerRun], late: list[SchedulerRun], max_runs: int, first: int, hours: int
) -> None:
    empty(engine)
    program = Program(engine, max_runs)
    program.send(runs)
    program.send(late)
    stored = program.stored
    program.now_ms = NOON_MS + 5 * DAY_MS
    cleanup(engine, 2, now_ms=program.now_ms)
    program.restart()
    span = TimeRange(NOON_MS + first * HOUR_MS, NOON_MS + (first + hours) * HOUR_MS, HOUR_MS)
    for filter in (Filter(), Filter(("a", "y"), "ok"), Filter(result="failed")):
        own = inside(stored, span, filter)
        check_summary(program.queries.scheduler_summary(span, filter), own, exact=False, gaps=False)
        check_series(program.queries.scheduler_series(span, filter), span, own)
    # And once more from the days alone, when the hours are gone too.
    cleanup(engine, 2, now_ms=program.now_ms, minute_days=2, hour_days=2)
    program.restart()
    days = TimeRange(NOON_MS - NOON_MS % DAY_MS - 3 * DAY_MS, NOON_MS - NOON_MS % DAY_MS + DAY_MS, DAY_MS)
    own = inside(stored, days, Filter())
    check_summary(program.queries.scheduler_summary(days), own, exact=False, gaps=False)
    check_series(program.queries.scheduler_series(days), days, own)


@settings(max_examples=25)
@given(runs=runs_of(durations), span=spans, filter=filters)
def test_everything_is_exact_where_memory_reaches(
    engine: Engine, runs: list[SchedulerRun], span: TimeRange, filter: Filter
) -> None:
    empty(engine)
    program = Program(engine, 1000)
    program.send(runs)
    check_summary(
        program.queries.scheduler_summary(span, filter), inside(program.stored, span, filter), exact=True, gaps=True
    )
