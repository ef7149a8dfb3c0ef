"""Whatever the order of arrival, the size of the memory and the state of the rollups: the numbers are right at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from collector.events import Metric
from db.queries import Queries
from db.recent import RecentDetail
from db.results import Filter, TimeRange
from db.retention import cleanup
from db.rollups import Rollups
from db.store import Store
from tests.db.brute_force import Truth, check_overview, check_quantile, check_series, duration_ms, empty
from tests.db.samples import NOON_MS, batch, navigation, scrape
from tests.db.tab_truth import check_tabs

HOUR_MS, MINUTE_MS = 3_600_000, 60_000

# Few distinct moments around a full hour, so that rows share milliseconds, minutes and hours, and lie on their borders.
moments = st.one_of(
    st.sampled_from([0, 1, MINUTE_MS - 1, MINUTE_MS, HOUR_MS - 1, HOUR_MS, -1, -HOUR_MS]),
    st.integers(-2 * HOUR_MS, 2 * HOUR_MS),
    st.integers(0, 3 * MINUTE_MS),
).map(lambda offset: NOON_MS + offset)
durations = st.one_of(st.integers(0, 3), st.floats(0, 1e6), st.sampled_from([100, 100.5]))
sources = st.sampled_from(["a", "A", "b", "ü"])
urls = st.sampled_from(["https://a/1", "https://A/2?Q=Ärger", "https://a/100%_"])
errors = st.sampled_from([None, "boom", "Boom", "boom ", "12 booms at https://a/1", "7 booms  at http://b"])
labels = st.one_of(
    st.none(),
    st.dictionaries(
        st.sampled_from(["env", "Env", "e\"nv", "a=b", "a", "100%_", "\\", "🦊"]),
        st.sampled_from([
            "live", "Live", "", "b=c", "c", "%", "\"", "\\", "a\\\"b", "','", '","env":"live', "🦊", "ü\n",
        ]),
        min_size=1, max_size=3,
    ),
)  # fmt: skip
runs = st.sampled_from([None, "r1", "R1"])

navigations = st.builds(
    lambda source, at_ms, **rest: navigation(source, at_ms, **rest),
    sources, moments, url=urls, navigation_duration_ms=durations, success=st.booleans(), error=errors, labels=labels,
    retry_count=st.integers(0, 5), status_code=st.sampled_from([None, 200, 503]), run_id=runs,
)  # fmt: skip


def with_fields(source: str, at_ms: int, shares: dict[str, int] | None, **rest: Any) -> Metric:
    """A scrape of whose items some had each field."""
    items = rest["items_extracted"]
    return scrape(source, at_ms, fields=shares and {name: min(items, share) for name, share in shares.items()}, **rest)


scrapes = st.builds(
    with_fields,
    sources, moments, url=urls, scrape_duration_ms=durations, success=st.booleans(), error=errors, labels=labels,
    items_extracted=st.one_of(st.just(0), st.integers(0, 2**31 - 1)), data_size=st.sampled_from([None, 0, 10, 2**40]),
    outcome=st.sampled_from([None, "ok", "blocked", "OK"]), run_id=runs,
    shares=st.one_of(
        st.none(), st.dictionaries(st.sampled_from(["price", "Price", "a\"b", "🦊"]), st.integers(0, 9), min_size=1)
    ),
)  # fmt: skip
batches = st.lists(st.one_of(navigations, scrapes), max_size=12)

spans = st.builds(
    lambda bucket_ms, first, buckets: TimeRange(
        NOON_MS + first * bucket_ms, NOON_MS + (first + buckets) * bucket_ms, bucket_ms
    ),
    st.sampled_from([10_000, 30_000, MINUTE_MS, 5 * MINUTE_MS, 7 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS]),
    st.integers(-4, 2),
    st.integers(1, 5),
)
filters = st.builds(
    Filter,
    st.lists(st.sampled_from(["a", "A", "b", "missing"]), max_size=2, unique=True).map(tuple),
    st.sampled_from(["all", "ok", "failed"]),
    st.sampled_from(["", "", "", "a/", "ÄRGER", "%_"]),
    kind=st.sampled_from(["all", "all", "navigation", "scrape"]),
    outcomes=st.one_of(
        st.just(()),
        st.lists(st.sampled_from(["ok", "OK", "blocked", "failed", "x"]), max_size=2, unique=True).map(tuple),
    ),
    error=st.sampled_from(["", "", "", "boom", "Boom", "<n> booms at <url>", "none of these"]),
    labels=st.one_of(
        st.just(()),
        st.lists(
            st.sampled_from([
                "env=live", "env=Live", "Env=live", 'e"nv="', "a=b=c", "a=b", "100%_=%", "\\=\\", "🦊=🦊", "a=",
                "env=ü\n", 'env=a\\"b', "env=','",
            ]),
            max_size=2, unique=True,
        ).map(tuple),
    ),
    url=st.sampled_from(["", "", "", "https://a/1", "https://A/1", "https://A/2?Q=Ärger"]),
    run=st.sampled_from(["", "", "", "r1", "r2"]),
)  # fmt: skip
EVER = TimeRange(0, 1 << 60, 1 << 60)
questions = st.lists(st.tuples(spans, filters), max_size=2)
steps = st.lists(
    st.tuples(batches, st.sampled_from(["", "", "roll", "settle", "restart", "restart without marks"]), questions),
    min_size=1,
    max_size=5,
)
sizes = st.sampled_from([1, 2, 5, 40, 1000])

Reader = Callable[[Queries, TimeRange, Filter, Truth], Any]


class Program:
    """A store with its readers, which can be restarted on the same database."""

    def __init__(self, engine: Engine, max_rows: int, *, with_rollups: bool = True, exact_rows: int = 10_000) -> None:
        self.engine = engine
        self.stored: list[Metric] = []
        self._max_rows = max_rows
        self._with_rollups = with_rollups
        self._exact_rows = exact_rows
        self.restart()

    def restart(self, *, marked: bool = True) -> None:
        self.store = Store(self.engine)
        self.recent = RecentDetail(max_rows=self._max_rows)
        self.recent.load(self.engine)
        self.store.subscribe(self.recent.append)
        self.rollups = Rollups(self.engine)
        if marked:
            self.store.subscribe(self.rollups.mark)
        self.queries = Queries(
            self.engine,
            self.recent,
            rollups=self.rollups if self._with_rollups else None,
            exact_rows=self._exact_rows,
            clock_ms=lambda: NOON_MS,
        )

    def send(self, metrics: list[Metric]) -> None:
        if metrics:
            self.store.send(batch(*metrics))
            self.stored += metrics

    @property
    def truth(self) -> Truth:
        return Truth(self.stored)


# Navigations and scrapes in one minute, of which the newest is the navigation.
both_kinds = [
    *[navigation("a", NOON_MS, success=False)] * 5,
    scrape("a", NOON_MS - HOUR_MS),
    scrape("a", NOON_MS),
    scrape("a", NOON_MS, success=False),
    navigation("b", NOON_MS + 2),
    scrape("b", NOON_MS + 1, success=False),
    scrape("b", NOON_MS),
    navigation("b", NOON_MS + 3, success=False),
    navigation("a", NOON_MS + 1),
    navigation("ü", NOON_MS + MINUTE_MS),
]
by_kind = [
    (TimeRange(NOON_MS - HOUR_MS, NOON_MS + HOUR_MS, bucket_ms), Filter(result=result, kind=kind))
    for bucket_ms in (MINUTE_MS, 5 * MINUTE_MS, HOUR_MS)
    for result in ("all", "ok", "failed")
    for kind in ("navigation", "scrape")
] + [(TimeRange(NOON_MS, NOON_MS + 14 * MINUTE_MS, 7 * MINUTE_MS), Filter(kind="scrape"))]


@settings(max_examples=60)
@example(steps=[(both_kinds, then, by_kind) for then in ("", "roll")], max_rows=1, with_rollups=True, exact_rows=0)
@given(steps=steps, max_rows=sizes, with_rollups=st.booleans(), exact_rows=st.sampled_from([0, 5, 10_000]))
def test_overview_equals_brute_force_at_every_moment(
    engine: Engine, steps: list[Any], max_rows: int, with_rollups: bool, exact_rows: int
) -> None:
    empty(engine)
    program = Program(engine, max_rows, with_rollups=with_rollups, exact_rows=exact_rows)
    for metrics, then, asked in steps:
        program.send(metrics)
        if then == "roll":
            program.rollups.run_once()
        elif then == "settle":
            program.rollups.settle(NOON_MS - HOUR_MS, NOON_MS + HOUR_MS)
        elif then == "restart":
            program.restart()
        elif then == "restart without marks":
            # As if this process was killed between the commit and the listeners.
            program.restart(marked=False)
            program.send([navigation("late", NOON_MS - HOUR_MS)])
            program.restart()
        for span, filter in asked:
            check_overview(program.queries.overview(span, filter), program.truth, span, filter)


@settings(max_examples=40)
@given(
    metrics=batches,
    then=st.sampled_from(["", "roll", "roll", "restart", "restart without marks"]),
    late=batches,
    max_rows=sizes,
    span=spans,
    filter=filters,
    exact_rows=st.sampled_from([0, 10_000]),
)
def test_every_other_answer_equals_brute_force(
    engine: Engine,
    metrics: list[Metric],
    then: str,
    late: list[Metric],
    max_rows: int,
    span: TimeRange,
    filter: Filter,
    exact_rows: int,
) -> None:
    empty(engine)
    program = Program(engine, max_rows, exact_rows=exact_rows)
    program.send(metrics)
    if then:
        program.rollups.run_once()
    if then.startswith("restart"):
        program.restart(marked=then == "restart")
    program.send(late)
    check_other_answers(program.queries, program.truth, span, filter)
    if then.startswith("restart"):
        program.restart()  # what this process kept from the rollups, a new one finds
    program.rollups.run_once()
    check_other_answers(program.queries, program.truth, span, filter)


def check_other_answers(queries: Queries, truth: Truth, span: TimeRange, filter: Filter) -> None:
    pages = truth.pages(span, filter)
    for within in (span, None):
        wanted = truth.pages(within or EVER, filter)
        for limit in (1, 3, 100):
            told = queries.events(within, filter, limit)
            newest = sorted((page.recorded_at_ms for page in wanted), reverse=True)[:limit]
            assert [event.recorded_at_ms for event in told] == newest
            assert {(event.source, event.url, event.success) for event in told} <= {
                (page.scraper_source, page.url, page.success) for page in wanted
            }
    check_tabs(queries, truth, span, filter)
    assert dict(queries.outcomes(span, filter)) == truth.outcomes(span, filter)
    assert [stats.source for stats in queries.sources(span, filter)] == sorted({page.scraper_source for page in pages})
    for name, series in queries.source_series(span, filter).items():
        check_series(series, span, [page for page in pages if page.scraper_source == name])
    for kind in ("navigation", "scrape"):
        own = truth.pages(span, filter, kind)
        check_series(queries.duration_trend(span, filter, kind), span, own)
        edges_ms, counts = queries.duration_histogram(span, filter, kind, bins=10)
        assert (len(edges_ms), counts.sum()) == (len(counts) + 1, len(own))
        assert len(counts) == 10 or counts[0] < len(own)
        urls = queries.slowest_urls(span, filter, kind, limit=5)
        keys = {(page.scraper_source, page.url) for page in own}
        assert {(url.source, url.url) for url in urls} <= keys
        assert len(urls) == min(5, len(keys))
        assert [url.mean_ms for url in urls] == sorted((url.mean_ms for url in urls), reverse=True)
        for url in urls:
            same = [page for page in own if (page.scraper_source, page.url) == (url.source, url.url)]
            assert (url.count, url.errors) == (len(same), sum(not page.success for page in same))
            assert url.max_ms == max(map(duration_ms, same))
            assert url.last_seen_ms == max(page.recorded_at_ms for page in same)
    newest = queries.events(span, filter, limit=7)
    assert [event.recorded_at_ms for event in newest] == sorted((page.recorded_at_ms for page in pages), reverse=True)[
        :7
    ]
    assert queries.source_names() == tuple(sorted({page.scraper_source for page in truth.metrics}))  # type: ignore[union-attr]


@settings(max_examples=25)
@given(
    metrics=batches, late=batches, max_rows=sizes, first=st.integers(-3, 1), hours=st.integers(1, 4),
    result=st.sampled_from(["ok", "failed"]),
)  # fmt: skip
def test_numbers_survive_the_deletion_of_their_detail_rows(
    engine: Engine, metrics: list[Metric], late: list[Metric], max_rows: int, first: int, hours: int, result: str
) -> None:
    empty(engine)
    program = Program(engine, max_rows)
    program.send(metrics)
    program.send(late)
    later_ms = NOON_MS + 5 * 24 * HOUR_MS
    cleanup(engine, 2, now_ms=later_ms)
    program.restart()
    span = TimeRange(NOON_MS + first * HOUR_MS, NOON_MS + (first + hours) * HOUR_MS, HOUR_MS)
    for filter in (Filter(), Filter(result=result), Filter(("a", "b"), result)):
        check_overview(program.queries.overview(span, filter), program.truth, span, filter)
    # And once more from the hours alone, when the minutes are gone too.
    cleanup(engine, 2, now_ms=later_ms, minute_days=2)
    program.restart()
    for filter in (Filter(), Filter(result=result), Filter(("a", "b"), result)):
        check_overview(program.queries.overview(span, filter), program.truth, span, filter)


@settings(max_examples=25)
@given(metrics=st.lists(navigations, min_size=1, max_size=40))
def test_quantiles_are_exact_where_memory_reaches(engine: Engine, metrics: list[Metric]) -> None:
    empty(engine)
    program = Program(engine, 1000)
    program.send(metrics)
    span = TimeRange(NOON_MS - 3 * HOUR_MS, NOON_MS + 3 * HOUR_MS, HOUR_MS)
    found = program.queries.overview(span).current
    values = [duration_ms(page) for page in program.truth.pages(span, Filter())]
    for quantile, rank in ((found.p50_ms, 0.5), (found.p95_ms, 0.95), (found.p99_ms, 0.99)):
        check_quantile(quantile, values, rank, exact=True)
