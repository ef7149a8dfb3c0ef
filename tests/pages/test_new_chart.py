"""What CONTRIBUTING promises to a newcomer: a function that computes an info, and one line in the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import plotly.utils
import pytest

from charts import make_adapter
from charts.base import ChartAdapter
from charts.info import BarInfo, ChartInfo
from components.view import View
from db.queries import Queries
from pages import chart, navigation
from pages.chart import PageChart
from tests.pages.memory_queries import NOW_MS, MemoryQueries


def failures_by_source(failures: Mapping[str, int]) -> BarInfo:
    """The whole of a new file in charts/: plain values in, a frozen info out."""
    return BarInfo("Failures by source", "How many failed.", tuple(failures), list(failures.values()), horizontal=True)


def failures(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return failures_by_source(
        {one.source: one.totals.errors for one in queries.sources(view.time_range(now_ms), view.filter)}
    )


LINE = PageChart("navigation-by-source", failures, "Which scraper they come from")  # the one line in the page


@pytest.fixture
def with_new_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    charts = (*navigation.CHARTS, LINE)
    exports = MappingProxyType({**navigation.PAGE.exports, **chart.exports([LINE])})
    monkeypatch.setattr(navigation, "CHARTS", charts)
    monkeypatch.setattr(navigation, "PAGE", replace(navigation.PAGE, exports=exports))


@pytest.mark.usefixtures("with_new_chart")
def test_new_chart_is_shown_kept_up_to_date_and_exported(six: MemoryQueries, adapter: ChartAdapter) -> None:
    page, view = navigation.PAGE, View.parse("/navigation", "?from=now-1h")
    content = page.content(six, adapter, view, NOW_MS)
    shown = json.dumps(page.layout(view, content), cls=plotly.utils.PlotlyJSONEncoder)
    assert "Failures by source" in shown
    assert "Which scraper they come from" in shown
    for format in ("csv", "png", "svg", "pdf"):
        assert f"/api/export/navigation-by-source.{format}" in shown
    assert "navigation-by-source" in page.charts(six, adapter, view, NOW_MS)  # what live updates compute
    info = page.exports["navigation-by-source"](six, view, NOW_MS)
    assert isinstance(info, BarInfo)
    assert adapter.export(info, "svg").startswith(b"<svg")


def test_chart_that_fails_takes_nobody_along(six: MemoryQueries) -> None:
    def broken(queries: Queries, view: View, now_ms: int) -> ChartInfo:
        raise ValueError("a newcomer's mistake")

    view = View.parse("/navigation", "")
    content = chart.drawn([PageChart("navigation-new", broken), LINE], six, make_adapter("plotly"), view, NOW_MS)
    assert "a newcomer's mistake" in str(content["navigation-new-note"])
    assert content["navigation-by-source"]["figure"]["data"]
