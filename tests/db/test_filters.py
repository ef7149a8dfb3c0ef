"""A filter means the same everywhere: every read honours it, in memory, in rollups and in SQL."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.engine import Engine

from collector.events import Metric, PageNavigation, PageScrape
from db import old_sums
from db.cell_sums import minute_cells
from db.cells import Cells
from db.columns import DetailColumns
from db.error_kinds import kind_of_error, longest_piece
from db.labels import KnownLabels, by_key, have, label_conditions, labels_of, labels_text
from db.models import PagePerformance
from db.results import Filter, FilterChoices, TimeRange
from tests.db.brute_force import check_overview, empty, outcome
from tests.db.samples import NOON_MS, navigation, run, scrape
from tests.db.test_queries_against_brute_force import (
    HOUR_MS,
    MINUTE_MS,
    Program,
    check_other_answers,
    errors,
    labels,
    navigations,
    scrapes,
    spans,
)

DAY_MS = 24 * HOUR_MS
WIDE = TimeRange(NOON_MS - 3 * HOUR_MS, NOON_MS + 3 * HOUR_MS, 30 * MINUTE_MS)


def filter_of(page: PageNavigation | PageScrape, parts: list[str]) -> Filter:
    """The filter that asks for these parts of a page metric."""
    of_page: dict[str, Any] = {
        "sources": (page.scraper_source,),
        "kind": "scrape" if isinstance(page, PageScrape) else "navigation",
        "result": "ok" if page.success else "failed",
        "outcomes": () if outcome(page) is None else (outcome(page), "another"),
        "error": "" if page.success else kind_of_error(page.error or ""),
        "labels": tuple(f"{key}={value}" for key, value in (page.labels or {}).items()),
        "url_contains": page.url[-3:].upper(),
        "url": page.url,
        "run": page.run_id or "",
    }
    return Filter(**{part: of_page[part] for part in parts})


parts = st.lists(
    st.sampled_from(["sources", "kind", "result", "outcomes", "error", "labels", "url_contains", "url", "run"]),
    max_size=4,
    unique=True,
)


@settings(max_examples=50)
@given(
    pages=st.lists(st.one_of(navigations, scrapes), min_size=2, max_size=16),
    asked=st.lists(st.tuples(st.integers(0, 15), parts, st.one_of(spans, st.just(WIDE))), min_size=1, max_size=3),
    max_rows=st.sampled_from([1, 3, 1000]),
    exact_rows=st.sampled_from([0, 10_000]),
    with_rollups=st.booleans(),
    rolled=st.booleans(),
)
def test_every_read_answers_a_filter_as_the_rows_do(
    engine: Engine,
    pages: list[Metric],
    asked: list[Any],
    max_rows: int,
    exact_rows: int,
    with_rollups: bool,
    rolled: bool,
) -> None:
    empty(engine)
    program = Program(engine, max_rows, with_rollups=with_rollups, exact_rows=exact_rows)
    program.send(pages[: len(pages) // 2])
    if rolled:
        program.rollups.run_once()
    program.send(pages[len(pages) // 2 :])
    for place, some, span in asked:
        filter = filter_of(pages[place % len(pages)], some)  # type: ignore[arg-type]
        check_overview(program.queries.overview(span, filter), program.truth, span, filter)
        check_other_answers(program.queries, program.truth, span, filter)


def test_of_many_rows_that_a_filter_lets_through_only_new_ones_are_counted_again(
    monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    counted: list[int] = []

    def counting(rows: DetailColumns, step_ms: int) -> Cells:
        counted.append(len(rows))
        return minute_cells(rows, step_ms)

    monkeypatch.setattr(old_sums, "minute_cells", counting)
    program = Program(engine, 40, exact_rows=20)
    program.send([
        make("ab"[n % 2], NOON_MS - n * 5 * MINUTE_MS, url=f"https://{'xy'[n % 3 == 0]}/{n}", success=n % 5 > 0)
        for n in range(120)
        for make in (navigation, scrape)
    ])  # fmt: skip
    program.restart()
    program.rollups.run_once()
    span, filter = TimeRange(NOON_MS - 9 * HOUR_MS, NOON_MS + HOUR_MS, HOUR_MS), Filter(url_contains="//x/")

    def check() -> None:
        check_overview(program.queries.overview(span, filter), program.truth, span, filter)
        check_other_answers(program.queries, program.truth, span, filter)

    check()
    assert counted
    assert min(counted) > 20
    before = len(counted)
    program.send([navigation("a", NOON_MS + 1, url="https://x/new"), scrape("c", NOON_MS + 2, url="https://x/new")])
    check()
    assert len(counted) == before
    program.send([navigation("a", NOON_MS - 8 * HOUR_MS, url="https://x/late", success=False)])
    check()
    assert len(counted) > before


LABELS = {
    "quotes": {'say "hi"': 'she said "hi"'},
    "likes": {"100%_": "50%_off"},
    "backslashes": {"\\": "\\\\", "path\\": 'C:\\"x"'},
    "emoji": {"🦊": "🦊🦊"},
    "commas": {"a,": ":", "b": "x,", "c": "{", "d": '{"a":"b"}'},
    "equals": {"a=b": "c", "a": "b=c=d"},
    "empty": {"none": ""},
    "case": {"Env": "Live"},
    "lines": {"two\nlines": "a\tb\u2028c"},
    "long": {"k" * 50: "ü" * 200},
    "spaces": {" a ": " b "},
}


def test_a_label_is_found_in_sql_where_it_is_and_nowhere_else(engine: Engine) -> None:
    program = Program(engine, 1)
    for at, (name, own) in enumerate(LABELS.items()):
        program.send([navigation(name, NOON_MS + at, labels=own), scrape("bare", NOON_MS + at)])
    every = [f"{key}={value}" for own in LABELS.values() for key, value in own.items()]
    for label in [
        *every,
        *(label.swapcase() for label in every),
        *(label[:-1] for label in every),
        "x==x",
    ]:
        expected = sorted(
            name for name, own in LABELS.items() if label in {f"{key}={value}" for key, value in own.items()}
        )
        with engine.connect() as connection:
            found = connection.scalars(
                select(PagePerformance.scraper_source).where(*label_conditions(PagePerformance.labels, [label]))
            ).all()
        assert sorted(found) == expected, label
        assert sorted(name for name, own in LABELS.items() if have(labels_text(own), by_key([label]))) == expected
        assert [stats.source for stats in program.queries.sources(WIDE, Filter(labels=(label,)))] == expected


def test_labels_of_one_key_are_alternatives_and_of_several_keys_all_are_needed(engine: Engine) -> None:
    program = Program(engine, 1)
    for env in ("live", "test", "dev"):
        for node in ("1", "2"):
            program.send([navigation(f"{env}{node}", labels={"env": env, "node": node})])
    for wanted, expected in (
        (("env=live", "env=test", "node=2"), ["live2", "test2"]),
        (("env=live", "node=3"), []),
        (("env=dev",), ["dev1", "dev2"]),
    ):
        assert [stats.source for stats in program.queries.sources(WIDE, Filter(labels=wanted))] == expected


@given(labels, errors)
def test_what_is_written_is_read_back(own: dict[str, str] | None, error: str | None) -> None:
    if own is not None:
        assert labels_of(labels_text(own)) == {f"{key}={value}" for key, value in own.items()}
        assert have(labels_text(own), by_key([f"{key}={value}" for key, value in own.items()]))
    assert not have(None, by_key(["a=b"]))
    assert have(None, [])
    assert longest_piece(kind_of_error(error or "")) in (error or "")


@given(st.text(max_size=900))
def test_every_error_of_a_kind_holds_its_longest_piece(error: str) -> None:
    assert longest_piece(kind_of_error(error)) in error


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"a"', "{}", "[1]"])
def test_a_text_that_holds_no_labels_has_none(text: str) -> None:
    assert labels_of(text) == frozenset()


def test_a_type_that_contradicts_the_question_leaves_nothing(engine: Engine) -> None:
    program = Program(engine, 1000)
    program.send([navigation(), scrape()])
    queries, scrapes_only = program.queries, Filter(kind="scrape")
    assert queries.overview(WIDE, scrapes_only).current.navigations == 0
    assert queries.overview(WIDE, scrapes_only).current.scrapes == 1
    assert queries.duration_trend(WIDE, scrapes_only, "navigation").navigations.sum() == 0
    assert queries.slowest_urls(WIDE, scrapes_only, "navigation") == ()
    assert queries.outcomes(WIDE, Filter(kind="navigation")) == {}
    assert queries.events(WIDE, Filter(kind="navigation", outcomes=("ok",))) == ()
    assert queries.errors_by_kind(WIDE, Filter(result="ok", error="boom")) == ()


def test_a_type_is_answered_from_rollups(engine: Engine) -> None:
    program = Program(engine, 1, exact_rows=0)
    program.send([navigation("a", NOON_MS + at * MINUTE_MS) for at in range(30)] + [scrape("a", NOON_MS)])
    program.rollups.run_once()
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM scraper_page_performance")
    found = program.queries.overview(WIDE, Filter(kind="navigation")).current
    assert (found.navigations, found.scrapes) == (30, 0)


def test_rare_errors_are_found_behind_many_of_another_kind(engine: Engine) -> None:
    program = Program(engine, 1)
    times = range(1_000)
    program.send(
        [
            navigation(
                "a", NOON_MS + at, success=False, error=f"{at} boom at pages" if at % 500 else f"{at} boom at page"
            )
            for at in times
        ]
    )
    filter = Filter(error="<n> boom at page")
    assert [event.recorded_at_ms - NOON_MS for event in program.queries.events(None, filter)] == [500, 0]
    several = Filter(("a", "b"), error="<n> boom at page")
    assert [event.recorded_at_ms - NOON_MS for event in program.queries.events(None, several, 1)] == [500]
    assert program.queries.overview(WIDE, filter).current.errors == 2
    assert [group[:2] for group in program.queries.errors_by_kind(WIDE, filter)] == [("<n> boom at page", 2)]


def test_rare_errors_of_runs_are_found_too(engine: Engine) -> None:
    program = Program(engine, 1)
    program.send([run(at_ms=NOON_MS + at, success=False, error=f"{at} a" if at % 300 else "a 1") for at in range(700)])
    assert [one.recorded_at_ms - NOON_MS for one in program.queries.scheduler_runs(WIDE, Filter(error="a <n>"))] == [
        600, 300, 0,
    ]  # fmt: skip
    assert program.queries.scheduler_summary(WIDE, Filter(error="a <n>"))[0].failed == 3
    assert program.queries.scheduler_series(WIDE, Filter(error="a <n>")).runs.sum() == 3
    for filter in (Filter(kind="scrape"), Filter(outcomes=("ok",)), Filter(labels=("a=b",)), Filter(url_contains="a")):
        assert program.queries.scheduler_runs(WIDE, filter) == ()
        assert program.queries.scheduler_summary(WIDE, filter) == ()
        assert program.queries.scheduler_series(WIDE, filter).runs.sum() == 0


def test_choices_are_what_rows_have(engine: Engine) -> None:
    program = Program(engine, 1000)
    assert program.queries.filter_choices() == FilterChoices()
    program.send(
        [
            scrape(outcome="blocked", success=False, error="HTTP 503 after 12 ms", labels={"env": "live", "b": "1"}),
            scrape(outcome=None, success=False, error=None),
            navigation(labels={"env": "test"}),
            navigation(at_ms=NOON_MS - 30 * DAY_MS, success=False, error="long ago"),
        ]
    )
    choices = FilterChoices(("blocked", "failed"), ("HTTP 503 after <n> ms",), ("b=1", "env=live", "env=test"))
    assert program.queries.filter_choices() == choices
    program.restart()
    assert program.queries.filter_choices() == choices
    long_ago = TimeRange(NOON_MS - 30 * DAY_MS, NOON_MS - 29 * DAY_MS, HOUR_MS)
    assert program.queries.filter_choices(long_ago) == replace(choices, outcomes=(), errors=("long ago",))


def test_known_labels_are_bounded_and_keep_the_newest() -> None:
    known = KnownLabels()
    for n in range(1_000):
        known.add([labels_text({"request": str(n), "env": "live"}), None, "no json"])
    found = known.all()
    assert len(found) == 201
    assert {"env=live", "request=999", "request=800"} <= set(found)
    known.add([labels_text({f"key{n}": ""}) for n in range(100)])
    assert len(known.all()) == 50


@pytest.mark.parametrize("at_ms", [NOON_MS, NOON_MS - HOUR_MS])
def test_rows_in_memory_share_the_text_of_their_labels(engine: Engine, at_ms: int) -> None:
    program = Program(engine, 1000)
    program.send([navigation(at_ms=at_ms + n, labels={"env": "live"}) for n in range(10)])
    for _ in range(2):
        assert len({id(text) for text in program.recent.columns().labels.tolist()}) == 1
        program.restart()
