"""The Plotly adapter: charts as plain figure dicts, drawn in the browser by dcc.Graph."""

from __future__ import annotations

from typing import Any

from dash import dcc
from dash.development.base_component import Component

from charts.base import ChartAdapter, Drawing
from charts.info import (
    BarInfo,
    HeatmapInfo,
    HistogramInfo,
    LineInfo,
    PieInfo,
    RadarInfo,
    ScatterInfo,
    TimelineInfo,
)
from charts.picks import Pick
from charts.plotly.bar import bar_figure
from charts.plotly.common import safe
from charts.plotly.heatmap import heatmap_figure
from charts.plotly.histogram import histogram_figure
from charts.plotly.library import with_needed_kinds
from charts.plotly.line import line_figure
from charts.plotly.picks import pick_of, zoom_of
from charts.plotly.pie import pie_figure
from charts.plotly.radar import bare_radar, radar_figure
from charts.plotly.scatter import scatter_figure
from charts.plotly.timeline import timeline_figure

# No tool bar: downloads are in the card's own menu. Dragging along a time axis changes the page's range, so there is
# nothing to reset by a double click.
_CONFIG: dict[str, Any] = {
    "displayModeBar": False,
    "displaylogo": False,
    "responsive": True,
    "doubleClick": False,
    "showTips": False,
    "scrollZoom": False,
}


class PlotlyAdapter(ChartAdapter):
    """Draws with Plotly; a drawing's spec is `{"data": [...], "layout": {...}}`."""

    name = "plotly"
    pick_prop = "clickData"
    zoom_prop = "relayoutData"
    scripts = (("plotly", "package_data/plotly.min.js"), ("dash", "dcc/async-graph.js"))

    @staticmethod
    def served(script: str, file: str) -> str:
        """Return plotly.js without kinds of charts that nobody draws; everything else as it is."""
        return with_needed_kinds(script) if file.endswith("plotly.min.js") else script

    def line(self, info: LineInfo) -> Drawing:
        """Draw lines over time."""
        return Drawing(info, line_figure(info, self._palette))

    def bar(self, info: BarInfo) -> Drawing:
        """Draw bars by category."""
        return Drawing(info, bar_figure(info, self._palette))

    def pie(self, info: PieInfo) -> Drawing:
        """Draw shares of a whole."""
        return Drawing(info, pie_figure(info, self._palette))

    def radar(self, info: RadarInfo) -> Drawing:
        """Draw scores on several axes."""
        return Drawing(info, radar_figure(info, self._palette))

    def histogram(self, info: HistogramInfo) -> Drawing:
        """Draw a distribution."""
        return Drawing(info, histogram_figure(info, self._palette))

    def heatmap(self, info: HeatmapInfo) -> Drawing:
        """Draw a grid of values."""
        return Drawing(info, heatmap_figure(info))

    def timeline(self, info: TimelineInfo) -> Drawing:
        """Draw spans of time in lanes."""
        return Drawing(info, timeline_figure(info))

    def scatter(self, info: ScatterInfo) -> Drawing:
        """Draw named bubbles."""
        return Drawing(info, scatter_figure(info, self._palette))

    def set_title(self, drawing: Drawing, title: str | None) -> Drawing:
        """Return the drawing with this title inside it, or with none."""
        layout = {key: value for key, value in drawing.spec["layout"].items() if key != "title"}
        if title is not None:
            layout["title"] = {"text": safe(title), "x": 0, "xref": "paper", "font": {"size": 14}, "automargin": True}
        return Drawing(drawing.info, {**drawing.spec, "layout": layout}, title)

    def clear(self, drawing: Drawing) -> Drawing:
        """Return the drawing with its axes but without any data."""
        layout = {key: value for key, value in drawing.spec["layout"].items() if key != "annotations"}
        # Polar axes exist only for the sake of a trace.
        polar = [bare_radar(info.axes)] if isinstance(info := drawing.info, RadarInfo) else []
        return Drawing(drawing.info, {"data": polar, "layout": layout}, drawing.shown_title)

    def props(self, drawing: Drawing) -> dict[str, Any]:
        """Return `{"figure": ...}`."""
        return {"figure": drawing.spec}

    def component(self, props: dict[str, Any], *, id: str | dict[str, Any]) -> Component:
        """Return the graph that shows these `props`, as large as what it stands in."""
        return dcc.Graph(
            id=id,
            config=_CONFIG,  # type: ignore[arg-type]  # a plain dict; dash's own type is private
            responsive=True,
            className="chart",
            style={"height": "100%"},
            **props,
        )

    def picked(self, event: Any) -> Pick | None:
        """Return what was clicked."""
        return pick_of(event)

    def zoomed(self, event: Any) -> tuple[int, int] | None:
        """Return the span of time that was dragged."""
        return zoom_of(event)
