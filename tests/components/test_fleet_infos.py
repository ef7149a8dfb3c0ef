"""What compares scrapers: scores as they are defined, pages against items, and bounds for large fleets."""

from __future__ import annotations

import numpy as np
import pytest

from charts import make_adapter
from charts.info import Point, ScatterInfo
from components import fleet_infos, infos
from components.scores import AXES, DEFINITIONS, scores_of
from components.timerange import MINUTE_MS
from db.results import SourceStats, TimeRange, Totals

RANGE = TimeRange(0, 60 * MINUTE_MS, MINUTE_MS)


def stats(
    source: str, *, navigations: int = 50, scrapes: int = 50, ok: int = 100, items: int = 100, mean_ms: float = 200.0,
    seen_min: int = 60,
) -> SourceStats:  # fmt: skip
    totals = Totals(
        navigations, scrapes, ok, navigations + scrapes - ok, items, 1, mean_ms, 1.0, 900.0, mean_ms, mean_ms, mean_ms
    )
    counts = np.zeros(60, dtype=np.int64)
    counts[:seen_min:5] = 1
    return SourceStats(source, totals, seen_min * MINUTE_MS, None, items / 60, counts)


def test_scores_are_shares_of_the_best() -> None:
    good = stats("good", items=400, mean_ms=100.0)
    slow = stats("slow", ok=50, mean_ms=400.0, navigations=25, scrapes=25, items=50)
    found = scores_of([good, slow], RANGE)
    assert found["good"] == (100.0, 100.0, 100.0, 100.0, 100.0)
    assert found["slow"] == (100.0, 25.0, 25.0, 100.0, 50.0)


@pytest.mark.parametrize(
    ("seen_min", "score"), [(60, 100.0), (55, 100.0), (52, 70.0), (50, 50.0), (45, 0.0), (20, 0.0)]
)
def test_freshness_falls_from_one_usual_pause_to_three(seen_min: int, score: float) -> None:
    one = [stats("a", seen_min=seen_min)]
    assert scores_of(one, RANGE)["a"][3] == score


def test_what_cannot_be_told_is_a_gap_and_nobody_divides_by_zero() -> None:
    sources = [stats("a", scrapes=0, items=0, mean_ms=0.0, ok=0), stats("b", items=0)]
    found = scores_of(sources, RANGE)
    assert found["a"] == (0.0, 100.0, None, 100.0, 50.0)
    assert found["b"][1:3] == (0.0, 100.0)
    assert scores_of([], RANGE) == {}


def test_the_radar_shows_the_six_busiest_and_says_what_the_scores_are() -> None:
    sources = [stats(f"s{number}", navigations=number, scrapes=0, ok=number) for number in range(1, 10)]
    info = fleet_infos.scores(sources, RANGE)
    assert info.title == "Scores (busiest 6 of 9)"
    assert info.axes == AXES
    assert [name for name, _ in info.shapes] == ["s4", "s5", "s6", "s7", "s8", "s9"]
    assert info.description.endswith(DEFINITIONS)


def test_pages_stand_against_items() -> None:
    info = fleet_infos.fleet([stats("a", navigations=40, scrapes=60, items=7), stats("b", items=9, mean_ms=5.0)])
    assert info == ScatterInfo(
        title="Pages and items",
        description="Pages (navigations, or scrapes where these are more) against extracted items of each scraper, "
        "the bubble as large as the mean duration is long: b has most items with 9 from 50 pages.",
        points=(Point("a", 60.0, 7.0, 200.0), Point("b", 50.0, 9.0, 5.0)),
        x_title="pages",
        y_title="items",
        size_title="mean duration",
        size_unit="ms",
    )


def test_axes_are_logarithmic_where_values_span_decades() -> None:
    info = fleet_infos.fleet([stats("a", navigations=10, scrapes=0), stats("b", navigations=1_000, items=0)])
    assert (info.x_log, info.y_log) == (True, False)


@pytest.mark.parametrize("name", ["plotly", "altair"])
def test_two_thousand_scrapers_are_bounded_and_drawn(name: str) -> None:
    sources = [stats(f"s{number:04}", navigations=number, items=number**2) for number in range(2_000)]
    info = fleet_infos.fleet(sources)
    assert info.title == "Pages and items (busiest 300 of 2,000)"
    assert len(info.points) == 300
    for drawn in (info, fleet_infos.scores(sources, RANGE), fleet_infos.fleet([]), fleet_infos.scores([], RANGE)):
        assert make_adapter(name).draw(drawn).spec


def test_lines_that_lie_decades_apart_are_told() -> None:
    near, far, gap = np.array([10.0, 20.0]), np.array([500.0, np.nan]), np.array([np.nan, np.nan])
    assert infos.spans_decades(np.array([near, far]))
    assert not infos.spans_decades(np.array([near, near * 20]))
    assert not infos.spans_decades(np.array([near, gap, np.zeros(2)]))
    assert not infos.spans_decades(np.empty(0))
