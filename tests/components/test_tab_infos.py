"""The charts of the Navigation and the Scraping tab: exactly what they say of given answers."""

from __future__ import annotations

import numpy as np
import pytest

from charts import make_adapter
from charts.base import ChartAdapter
from charts.info import FAILED_KEY, MUTED_KEY, OK_KEY, BarInfo, HeatmapInfo, Line, LineInfo
from components import tab_infos
from db.results import ErrorGroup, TimeRange
from db.tab_results import Attempts, OkFailed, OutcomeSeries, WeekHours, YieldSeries

NAN = float("nan")
RANGE = TimeRange(60_000, 240_000, 60_000)
STARTS = np.array([60_000, 120_000, 180_000])
OVER_MS = 240_000
ATTEMPTS = Attempts(
    (OkFailed(80, 5), OkFailed(7, 3), OkFailed(0, 2), OkFailed(0, 3)),
    {200: OkFailed(87, 0), 503: OkFailed(0, 8), None: OkFailed(0, 5)},
)
NO_ATTEMPTS = Attempts((OkFailed(0, 0),) * 4, {})
YIELDS = YieldSeries(
    start_ms=STARTS, scrapes=np.array([4, 0, 2]), items=np.array([10, 0, 2]), ok=np.array([3, 0, 1]),
    ok_without_items=np.array([1, 0, 1]), sized=np.array([2, 0, 0]), data_size=np.array([3000, 0, 0]),
)  # fmt: skip
OUTCOMES = OutcomeSeries(
    STARTS, STARTS + 60_000, {"ok": np.array([4, 0, 2]), "blocked": np.array([1, 0, 0]), "a": np.array([0, 0, 1])}
)


def hours(at: dict[tuple[int, int], tuple[int, int, float]]) -> WeekHours:
    counts, successes = np.zeros((7, 24), dtype=np.int64), np.zeros((7, 24), dtype=np.int64)
    p95_ms = np.full((7, 24), NAN)
    for place, (count, ok, p95) in at.items():
        counts[place], successes[place], p95_ms[place] = count, ok, p95
    return WeekHours(counts, successes, p95_ms / 2, p95_ms)


def error(kind: str, failures: int) -> ErrorGroup:
    return ErrorGroup(kind, failures, 2, 1, ("a",), (0,), (failures,), kind)


WEEK = hours({(0, 3): (10, 9, 150.0), (6, 23): (4, 4, 1200.0)})
EVERY = (
    tab_infos.week(WEEK, "p95", what="Navigation"), tab_infos.week(hours({}), "failures", what="Navigation"),
    tab_infos.retries(ATTEMPTS), tab_infos.retries(NO_ATTEMPTS), tab_infos.statuses(ATTEMPTS),
    tab_infos.statuses(NO_ATTEMPTS), tab_infos.errors([error("x", 2)]), tab_infos.errors([]),
    tab_infos.items_over_time({"a": np.array([1, 0, 2])}, RANGE, now_ms=OVER_MS),
    tab_infos.items_over_time({}, RANGE, now_ms=OVER_MS),
    tab_infos.outcomes_over_time(OUTCOMES, RANGE, now_ms=OVER_MS), tab_infos.items_per_scrape(YIELDS, RANGE),
    tab_infos.empty_handed(YIELDS, RANGE), tab_infos.data_size(YIELDS, RANGE),
)  # fmt: skip


@pytest.mark.parametrize("adapter", ["plotly", "altair"])
@pytest.mark.parametrize("info", EVERY, ids=lambda info: info.title)
def test_both_adapters_draw_it(adapter: str, info: object) -> None:
    drawer: ChartAdapter = make_adapter(adapter)
    assert drawer.props(drawer.draw(info))  # type: ignore[arg-type]


def test_a_week_is_drawn_by_hour_and_weekday() -> None:
    values = np.full((7, 24), NAN)
    values[0, 3], values[6, 23] = 150.0, 1200.0
    assert tab_infos.week(WEEK, "p95", what="Navigation") == HeatmapInfo(
        title="Navigation p95 by weekday and hour",
        description="95th percentile of the duration by weekday and hour of the day (UTC): "
        "highest is 1.20\u00a0s on Sundays at 23:00.",
        x_labels=tuple(f"{hour:02d}" for hour in range(24)),
        y_labels=("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
        values=values,
        unit="ms",
        value_title="p95",
    )
    failing = tab_infos.week(WEEK, "failures", what="Navigation")
    assert failing.values[0][3] == pytest.approx(10.0)
    assert failing.values[6][23] == 0
    assert failing.description.endswith("highest is 10.0\u00a0% on Mondays at 03:00.")
    assert tab_infos.week(hours({}), "p95", what="Navigation").description.endswith(": no data.")
    volume = tab_infos.week(WEEK, "volume", what="Navigation")
    assert (volume.title, volume.unit) == ("Navigation volume by weekday and hour", "")
    assert np.isnan(volume.values[1][0])
    mean = tab_infos.week(WEEK, "mean", what="Navigation")
    assert mean.description.startswith("Mean duration by weekday and hour of the day (UTC): highest is ")


@pytest.mark.parametrize(
    ("hours_long", "said"), [(1, "shorter than a day"), (24, "shorter than a week"), (168, "counts together")]
)
def test_a_short_range_says_what_of_the_week_it_fills(hours_long: int, said: str) -> None:
    assert said in tab_infos.week_note(TimeRange(0, hours_long * 3_600_000, 60_000))


def test_retries_are_stacked_by_how_it_ended() -> None:
    assert tab_infos.retries(ATTEMPTS) == BarInfo(
        title="Retries",
        description="Navigations by number of retries: 15 of 100, 15.0\u00a0% were tried again.",
        categories=("no retry", "1 retry", "2 retries", "3 or more"),
        groups=(("ok", (80, 7, 0, 0)), ("failed", (5, 3, 2, 3))),
        colour_keys=(OK_KEY, FAILED_KEY),
        stacked=True,
        horizontal=True,
        value_title="navigations",
    )
    assert tab_infos.retries(NO_ATTEMPTS).categories == ()


def test_statuses_come_most_frequent_first_and_none_is_named() -> None:
    info = tab_infos.statuses(ATTEMPTS)
    assert info.categories == ("200", "503", "no status")
    assert info.groups == (("ok", (87, 0, 0)), ("failed", (0, 8, 5)))
    assert info.description == "Navigations by HTTP status: 87 200, 8 503, 5 no status."
    many = tab_infos.statuses(Attempts(ATTEMPTS.retries, {code: OkFailed(code, 0) for code in range(200, 225)}))
    assert many.title == "Status codes (top 20 of 25)"
    assert many.categories[0] == "224"


def test_errors_are_drawn_ten_at_most() -> None:
    info = tab_infos.errors([error(f"kind {n}", 20 - n) for n in range(12)])
    assert info.title == "Errors by kind (top 10 of 12)"
    assert info.categories[:2] == ("kind 0", "kind 1")
    assert list(info.values or ())[:2] == [20, 19]
    assert info.description == "Failures by kind of error: most of 174 are “kind 0”."
    assert tab_infos.errors([error("", 1)]).categories == ("(no error text)",)


def test_items_are_stacked_as_a_rate_and_what_isnt_over_is_left_out() -> None:
    info = tab_infos.items_over_time({"b": np.array([6, 0, 9]), "a": np.array([1, 2, 3])}, RANGE, now_ms=OVER_MS - 1)
    assert info == LineInfo(
        title="Items extracted",
        description="Items extracted per minute by source: 21 in all from 2 sources.",
        x_ms=STARTS,
        lines=(Line("a", np.array([1.0, 2.0, NAN])), Line("b", np.array([6.0, 0.0, NAN]))),
        y_title="items",
        y_unit="/min",
        x_range_ms=(60_000, 240_000),
        stacked=True,
    )
    many = tab_infos.items_over_time({f"s{n}": np.array([n, 0, 0]) for n in range(10)}, RANGE, now_ms=OVER_MS)
    assert [line.name for line in many.lines] == ["s3", "s4", "s5", "s6", "s7", "s8", "s9", "all others"]
    assert many.lines[-1] == Line("all others", np.array([3.0, 0.0, 0.0]), colour_key=MUTED_KEY)


def test_outcomes_are_stacked_with_ok_first() -> None:
    info = tab_infos.outcomes_over_time(OUTCOMES, RANGE, now_ms=OVER_MS)
    assert [(line.name, line.colour_key) for line in info.lines] == [
        ("ok", "outcome:ok"), ("a", "outcome:a"), ("blocked", "outcome:blocked")
    ]  # fmt: skip
    assert list(info.lines[0].y) == [4.0, 0.0, 2.0]
    assert info.description == "Scrapes per minute by how they ended: 6 of 8 ended ok."


def test_a_bucket_that_is_cut_short_has_its_own_rate() -> None:
    cut = OutcomeSeries(np.array([90_000, 120_000]), np.array([120_000, 180_000]), {"ok": np.array([3, 3])})
    assert list(tab_infos.outcomes_over_time(cut, RANGE, now_ms=OVER_MS).lines[0].y) == [6.0, 3.0]


def test_items_per_scrape_come_with_the_mean_of_the_range_and_gaps() -> None:
    info = tab_infos.items_per_scrape(YIELDS, RANGE)
    assert info.lines == (
        Line("items per scrape", np.array([2.5, NAN, 1.0]), colour_key="series:mean"),
        Line("mean of the range", np.array([2.0, 2.0, 2.0]), colour_key=MUTED_KEY, dash=True),
    )
    assert info.description == "Items that a scrape brought home over time: 2.0 on average."


def test_scrapes_that_went_well_and_brought_nothing_are_a_share_of_those_that_went_well() -> None:
    info = tab_infos.empty_handed(YIELDS, RANGE)
    assert list(info.lines[0].y)[::2] == pytest.approx([100 / 3, 100.0])
    assert info.description == "Share of successful scrapes that brought no items: 2 of 4, 50.0\u00a0%."


def test_data_size_is_a_mean_of_those_that_tell_it() -> None:
    info = tab_infos.data_size(YIELDS, RANGE)
    assert info.lines == (Line("bytes per scrape", np.array([1500.0, NAN, NAN]), colour_key="series:mean"),)
    assert info.description == "Mean bytes per scrape over time: 2 of 6 scrapes told it."
    nothing = np.zeros(3, dtype=np.int64)
    untold = YieldSeries(STARTS, YIELDS.scrapes, YIELDS.items, YIELDS.ok, YIELDS.ok_without_items, nothing, nothing)
    assert tab_infos.data_size(untold, RANGE).lines == ()
