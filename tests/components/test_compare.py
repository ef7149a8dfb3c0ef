"""Comparing with an earlier period: its range, its name, and its ghost on a chart."""

from __future__ import annotations

import numpy as np
import pytest

from charts import make_adapter
from charts.info import MUTED_KEY, Line, LineInfo
from components.compare import earlier_range, earlier_words, with_ghost
from components.frame import described
from components.timerange import DAY_MS, MINUTE_MS
from components.view import View
from db.results import TimeRange

RANGE = TimeRange(10 * DAY_MS, 10 * DAY_MS + 15 * MINUTE_MS, MINUTE_MS)


def info(range: TimeRange, *, stacked: bool = False) -> LineInfo:
    """Return two lines whose values tell of which range they are."""
    values = np.full(range.bucket_count, range.start_ms / MINUTE_MS)
    return LineInfo(
        title="t",
        description="A sentence.",
        x_ms=range.bucket_starts(),
        lines=(Line("mean", values), Line("p95", values + 1)),
        y_title="duration",
        y_unit="ms",
        x_range_ms=(range.start_ms, range.end_ms),
        stacked=stacked,
    )


@pytest.mark.parametrize(
    ("compare", "shift_ms", "words"),
    [
        ("", 15 * MINUTE_MS, "the 15 minutes before"),
        ("before", 15 * MINUTE_MS, "the 15 minutes before"),
        ("day", DAY_MS, "the same time yesterday"),
        ("week", 7 * DAY_MS, "the same time a week ago"),
    ],
)
def test_a_view_is_compared_with_the_period_that_its_link_names(compare: str, shift_ms: int, words: str) -> None:
    view = View(compare=compare)
    assert earlier_range(view, RANGE) == TimeRange(RANGE.start_ms - shift_ms, RANGE.end_ms - shift_ms, MINUTE_MS)
    assert earlier_words(view, RANGE) == words


def test_of_a_range_that_ended_long_ago_a_day_before_is_not_yesterday() -> None:
    assert earlier_words(View(to="2026-11-01", compare="day"), RANGE) == "the same time a day before"
    assert earlier_words(View(to="2026-11-01", compare="week"), RANGE) == "the same time a week before"
    assert described(View(compare="day")) == "Last 15 minutes · compared with the same time yesterday"


def test_without_comparison_a_chart_is_as_it_was() -> None:
    assert [line.name for line in with_ghost(View(), RANGE, info).lines] == ["mean", "p95"]


def test_a_ghost_is_the_earlier_line_on_the_same_axis() -> None:
    drawn = with_ghost(View(compare="day"), RANGE, info, "p95")
    assert [line.name for line in drawn.lines] == ["mean", "p95", "p95, day before"]
    ghost = drawn.lines[-1]
    assert (ghost.dash, ghost.colour_key) == (True, MUTED_KEY)
    assert np.array_equal(np.asarray(ghost.y), np.full(15, 9 * 1440.0 + 1))
    assert drawn.x_range_ms == (RANGE.start_ms, RANGE.end_ms)
    assert drawn.description == "A sentence. Dashed: p95 of the same time yesterday."


def test_the_ghost_of_a_stack_is_its_sum_and_is_not_stacked() -> None:
    drawn = with_ghost(View(compare="before"), RANGE, lambda range: info(range, stacked=True))
    ghost = drawn.lines[-1]
    assert ghost.name == "all before"
    assert np.array_equal(np.asarray(ghost.y), np.full(15, 2 * (14_400 - 15) + 1.0))
    traces = make_adapter("plotly").line(drawn).spec["data"]
    assert ["stackgroup" in trace for trace in traces] == [True, True, False]
    assert traces[-1]["line"]["dash"] == "dash"
    layers = make_adapter("altair").line(drawn).spec["layer"]
    assert [layer["mark"]["type"] for layer in layers[:2]] == ["area", "line"]


def test_where_there_was_nothing_the_chart_says_so_instead_of_drawing_a_ghost() -> None:
    def only_now(range: TimeRange) -> LineInfo:
        if range == RANGE:
            return info(range)
        return LineInfo("t", "A sentence.", range.bucket_starts(), (), "duration", "ms", None)

    drawn = with_ghost(View(compare="week"), RANGE, only_now)
    assert len(drawn.lines) == 2
    assert drawn.description == "A sentence. There is nothing to compare with from the same time a week ago."
