"""Where clicks and drags lead, whatever drew the chart."""

from __future__ import annotations

import numpy as np
import pytest

from charts.info import OK_KEY, BarInfo, ChartInfo, HistogramInfo, Line, LineInfo, PieInfo, Point, ScatterInfo
from charts.picks import Pick
from components.leads import dragged_lead, events_of, picked_lead
from components.view import View

START_MS = 1_795_348_800_000
MINUTE_MS = 60_000
SOURCES = {"cnbc", "a/b", "ok", "blocked"}
VIEW = View.parse("/", "?from=now-6h&result=failed&q=x")
KEPT = "from=now-6h&result=failed&q=x"


def lines(*names: str, ghost: bool = False) -> LineInfo:
    moments = START_MS + MINUTE_MS * np.arange(10, dtype=np.int64)
    made = tuple(Line(name, np.ones(10), dash=ghost) for name in names)
    return LineInfo("t", "d.", moments, made, x_range_ms=(START_MS, START_MS + 10 * MINUTE_MS))


@pytest.mark.parametrize(
    "info",
    [
        BarInfo("t", "d.", ("cnbc", "new"), values=(1, 2), colour_keys=("cnbc", "new")),
        PieInfo("t", "d.", ("cnbc", "new"), (1, 2)),
        ScatterInfo("t", "d.", (Point("cnbc", 1, 2), Point("new", 1, 2))),
    ],
)
def test_what_stands_for_a_source_leads_to_its_page_with_range_and_filters(info: ChartInfo) -> None:
    assert picked_lead(info, Pick("cnbc"), VIEW, SOURCES) == f"/scrapers/cnbc?{KEPT}"
    assert picked_lead(info, Pick("new"), VIEW, SOURCES) == ""
    assert picked_lead(info, Pick("nobody"), VIEW, {"nobody"}) == ""
    assert picked_lead(info, Pick(), VIEW, SOURCES) == ""


def test_an_awkward_name_is_escaped() -> None:
    info = BarInfo("t", "d.", ("a/b",), values=(1,), colour_keys=("a/b",))
    assert picked_lead(info, Pick("a/b"), View.parse("/", ""), SOURCES) == "/scrapers/a%2Fb"


def test_a_thing_that_is_only_called_like_a_source_leads_to_no_source() -> None:
    bars = BarInfo("t", "d.", ("ok",), values=(1,), colour_keys=(OK_KEY,))
    assert picked_lead(bars, Pick("ok"), VIEW, SOURCES) == ""
    slices = PieInfo("t", "d.", ("blocked",), (1,), colour_keys=("outcome:blocked",))
    lead = picked_lead(slices, Pick("blocked"), View.parse("/scraping", "?from=now-6h"), SOURCES)
    assert lead.startswith("/events?from=now-6h&")
    assert "kind=scrape" in lead
    assert "outcome=blocked" in lead


def test_a_point_in_time_leads_to_the_events_of_its_bucket() -> None:
    lead = picked_lead(lines("mean"), Pick(time_ms=START_MS + 3 * MINUTE_MS + 5), VIEW, SOURCES)
    start_ms = START_MS + 3 * MINUTE_MS
    assert lead == f"/events?from={start_ms}&to={start_ms + MINUTE_MS}&result=failed&q=x"


def test_a_point_of_a_source_s_line_leads_to_its_own_events() -> None:
    lead = picked_lead(lines("reuters", "cnbc"), Pick(series=1, time_ms=START_MS), VIEW, SOURCES)
    assert "source=cnbc" in lead
    assert "source" not in picked_lead(lines("reuters", "cnbc"), Pick(series=0, time_ms=START_MS), VIEW, SOURCES)
    assert picked_lead(lines("cnbc", ghost=True), Pick(series=0, time_ms=START_MS), VIEW, SOURCES) == ""
    assert "source=cnbc" in picked_lead(
        lines("mean"), Pick(time_ms=START_MS), View.parse("/scrapers/cnbc", ""), SOURCES
    )


def test_dragging_makes_the_span_the_page_s_range() -> None:
    lead = dragged_lead(lines("mean"), (START_MS + 60_400, START_MS + 120_100), VIEW)
    assert lead == f"/?from={START_MS + 60_000}&to={START_MS + 121_000}&result=failed&q=x"
    assert not View.parse("/", lead[1:]).follows_now


def test_a_drag_of_everything_or_where_there_is_no_time_leads_nowhere() -> None:
    assert dragged_lead(lines("mean"), (START_MS - 5, START_MS + 10 * MINUTE_MS), VIEW) == ""
    histogram = HistogramInfo("t", "d.", (1, 2), (3,), "x", "ms")
    assert dragged_lead(histogram, (START_MS, START_MS + 5), VIEW) == ""
    assert picked_lead(histogram, Pick(time_ms=START_MS), VIEW, SOURCES) == ""


def test_the_events_behind_a_page_are_of_what_it_is_about() -> None:
    assert events_of(View.parse("/scrapers/cnbc", "?from=now-1h")) == "/events?from=now-1h&source=cnbc"
    assert "kind=navigation" in events_of(View.parse("/navigation", ""))
    assert events_of(View.parse("/", ""), result="failed") == "/events?result=failed"
