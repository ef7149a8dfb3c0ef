"""The Vega-Altair adapter, shown in the browser by dash-vega-components."""

from __future__ import annotations

from typing import Any

import dash_vega_components as dvc
from dash.development.base_component import Component

from charts.altair.picks import SIGNALS, patched, pick_of, zoom_of
from charts.altair.spec import PAGE_CHROME, spec_of, without_rows
from charts.base import ChartAdapter, Drawing
from charts.info import (
    BarInfo,
    ChartInfo,
    HeatmapInfo,
    HistogramInfo,
    LineInfo,
    PieInfo,
    RadarInfo,
    ScatterInfo,
    TimelineInfo,
)
from charts.picks import Pick


class AltairAdapter(ChartAdapter):
    """Draws with Vega-Altair; a drawing's spec is a Vega-Lite 5 spec that fills what it stands in."""

    name = "altair"
    pick_prop = "signalData"
    zoom_prop = "signalData"

    def line(self, info: LineInfo) -> Drawing:
        """Draw lines over time."""
        return self._drawn(info)

    def bar(self, info: BarInfo) -> Drawing:
        """Draw bars by category."""
        return self._drawn(info)

    def pie(self, info: PieInfo) -> Drawing:
        """Draw shares of a whole."""
        return self._drawn(info)

    def radar(self, info: RadarInfo) -> Drawing:
        """Draw scores on several axes."""
        return self._drawn(info)

    def histogram(self, info: HistogramInfo) -> Drawing:
        """Draw a distribution."""
        return self._drawn(info)

    def heatmap(self, info: HeatmapInfo) -> Drawing:
        """Draw a grid of values."""
        return self._drawn(info)

    def timeline(self, info: TimelineInfo) -> Drawing:
        """Draw spans of time in lanes."""
        return self._drawn(info)

    def scatter(self, info: ScatterInfo) -> Drawing:
        """Draw named bubbles."""
        return self._drawn(info)

    def set_title(self, drawing: Drawing, title: str | None) -> Drawing:
        """Return the drawing with this title inside it, or with none."""
        spec = {key: value for key, value in drawing.spec.items() if key != "title"}
        if title is not None:
            spec["title"] = {"text": title, "anchor": "start"}
        return Drawing(drawing.info, spec, title)

    def clear(self, drawing: Drawing) -> Drawing:
        """Return the drawing with its axes but without any data."""
        return Drawing(drawing.info, without_rows(drawing.spec), drawing.shown_title)

    def props(self, drawing: Drawing) -> dict[str, Any]:
        """Return `{"spec": ...}`."""
        return {"spec": drawing.spec}

    def component(self, props: dict[str, Any], *, id: str | dict[str, Any]) -> Component:
        """Return the Vega view that shows these `props`, as large as what it stands in."""
        # SVG, so that the page's style sheet can colour text and grid.
        options = {"renderer": "svg", "actions": False}
        fill = {"width": "100%", "height": "100%"}
        observed = {"signalsToObserve": list(SIGNALS)}
        view: Component = dvc.Vega(id=id, opt=options, className="chart", style=fill, **observed, **props)
        return view

    def picked(self, event: Any) -> Pick | None:
        """Return what was clicked."""
        return pick_of(event)

    def zoomed(self, event: Any) -> tuple[int, int] | None:
        """Return the span of time that was dragged."""
        return zoom_of(event)

    def _drawn(self, info: ChartInfo) -> Drawing:
        return Drawing(info, patched(spec_of(info, self._palette, chrome=PAGE_CHROME)))
