"""The chart adapter: what pages may ask of a plotting library, and no more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from dash.development.base_component import Component

from charts.errors import ChartError
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
from charts.theme import Palette

ExportFormat = Literal["png", "svg", "pdf", "csv"]
ThemeName = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart as one library draws it. Adapters never change one in place: the view engine compares old with new.

    Attributes:
        info: What was drawn.
        spec: The library's own form of it, JSON-ready (a Plotly figure, a Vega-Lite spec).
        shown_title: The title inside the drawing; None as long as the card around it shows the title.
    """

    info: ChartInfo
    spec: dict[str, Any]
    shown_title: str | None = None


class ChartAdapter(ABC):
    """Draws chart infos with one plotting library.

    Args:
        palette: Which tone a colour key gets; replaced by `know_sources`.
    """

    name: str
    # The properties of the component in which the browser tells what was clicked and which span was dragged.
    pick_prop: str
    zoom_prop: str
    # (package, file in it) of scripts that every page needs to draw: sent with the page, lest the browser learns of
    # them only when the first chart is there.
    scripts: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def served(script: str, file: str) -> str:
        """Return what a browser needs of one of these scripts.

        Args:
            script: The whole text of the file.
            file: Its name in its package, as in `scripts`.
        """
        del file
        return script

    def __init__(self, palette: Palette | None = None) -> None:
        self._palette = palette or Palette()

    @abstractmethod
    def line(self, info: LineInfo) -> Drawing:
        """Draw lines over time."""

    @abstractmethod
    def bar(self, info: BarInfo) -> Drawing:
        """Draw bars by category."""

    @abstractmethod
    def pie(self, info: PieInfo) -> Drawing:
        """Draw shares of a whole."""

    @abstractmethod
    def radar(self, info: RadarInfo) -> Drawing:
        """Draw scores on several axes."""

    @abstractmethod
    def histogram(self, info: HistogramInfo) -> Drawing:
        """Draw a distribution."""

    @abstractmethod
    def heatmap(self, info: HeatmapInfo) -> Drawing:
        """Draw a grid of values."""

    @abstractmethod
    def timeline(self, info: TimelineInfo) -> Drawing:
        """Draw spans of time in lanes."""

    @abstractmethod
    def scatter(self, info: ScatterInfo) -> Drawing:
        """Draw named bubbles."""

    @abstractmethod
    def set_title(self, drawing: Drawing, title: str | None) -> Drawing:
        """Return the drawing with this title inside it, or with none."""

    @abstractmethod
    def clear(self, drawing: Drawing) -> Drawing:
        """Return the drawing with its axes but without any data."""

    @abstractmethod
    def props(self, drawing: Drawing) -> dict[str, Any]:
        """Return the live properties of the component, JSON-ready, for instance `{"figure": {...}}`."""

    @abstractmethod
    def component(self, props: dict[str, Any], *, id: str | dict[str, Any]) -> Component:
        """Return the Dash component that shows these `props`; all that isn't live is set here."""

    @abstractmethod
    def picked(self, event: Any) -> Pick | None:
        """Return what was clicked, from the value of `pick_prop`: any JSON value, None when it tells of no click."""

    @abstractmethod
    def zoomed(self, event: Any) -> tuple[int, int] | None:
        """Return the span (start_ms, end_ms) that was dragged, from the value of `zoom_prop`: any JSON value."""

    def draw(self, info: ChartInfo) -> Drawing:
        """Draw whatever kind of info this is.

        Raises:
            ChartError: When the info is of a kind that no adapter draws.
        """
        match info:
            case LineInfo():
                return self.line(info)
            case BarInfo():
                return self.bar(info)
            case PieInfo():
                return self.pie(info)
            case RadarInfo():
                return self.radar(info)
            case HistogramInfo():
                return self.histogram(info)
            case HeatmapInfo():
                return self.heatmap(info)
            case TimelineInfo():
                return self.timeline(info)
            case ScatterInfo():
                return self.scatter(info)
            case _:
                raise ChartError(f"{type(info).__name__} is no chart info; see charts/info.py for those there are")

    def update(self, drawing: Drawing, info: ChartInfo) -> Drawing:
        """Return the drawing with new data; a title that was set inside it stays."""
        drawn = self.draw(info)
        return drawn if drawing.shown_title is None else self.set_title(drawn, drawing.shown_title)

    def to_component(self, drawing: Drawing, *, id: str | dict[str, Any]) -> Component:
        """Return the Dash component that shows the drawing."""
        return self.component(self.props(drawing), id=id)

    @property
    def palette(self) -> Palette:
        """Which tone a colour key gets."""
        return self._palette

    def know_sources(self, names: Iterable[str]) -> None:
        """Keep these sources' colours apart from each other (the whole fleet's names, on every chart alike).

        The palette is a pure function of the set of names and is swapped in one assignment, so any thread may call
        this at any time and several app processes agree.
        """
        wanted = frozenset(names)
        if wanted != self._palette.names:
            self._palette = Palette(wanted)

    def export(
        self,
        source: Drawing | ChartInfo,
        format: ExportFormat,
        *,
        theme: ThemeName = "light",
        width_px: int = 960,
        height_px: int = 480,
        footer: str | None = None,
    ) -> bytes:
        """Return the chart as a file.

        Args:
            source: A drawing or what to draw.
            format: "png", "svg", "pdf" or "csv".
            theme: Colours of background, text and grid in a picture.
            width_px: Width of the picture (a PNG has twice as many pixels, so that it is sharp in print).
            height_px: Height of the picture, title and footer included.
            footer: A small line below, for instance the time range and the filters.

        Returns:
            The file's bytes.

        Raises:
            ExportError: When the format is unknown or the picture can't be drawn.
        """
        # Imported late: pages that never export don't pay for the drawing engine.
        from charts.export import export_chart

        info = source.info if isinstance(source, Drawing) else source
        if isinstance(source, Drawing) and source.shown_title is not None:
            info = replace(info, title=source.shown_title)  # type: ignore[type-var]  # every info is a dataclass
        return export_chart(
            info,
            format,
            palette=self._palette,
            theme=theme,
            width_px=width_px,
            height_px=height_px,
            footer=footer,
        )
