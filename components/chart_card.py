"""The card around a chart: title, subtitle, the chart itself, and a menu that exports it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from charts.base import ChartAdapter
from charts.empty import is_empty
from charts.info import ChartInfo, LineInfo
from components.content import Content
from components.export_menu import export_menu
from components.sight import sight
from components.trouble import attempt
from components.view import View


def chart_content(id: str, adapter: ChartAdapter, info: ChartInfo | Callable[[], ChartInfo]) -> Content:
    """Draw a chart into a page's content: its live props and those that never change.

    Args:
        id: The chart's id, also its name in `/api/export/<id>.<format>`.
        adapter: Who draws.
        info: What to draw, or (better) what computes it: when that fails, the card says so and the page goes on.
    """

    def drawn() -> Content:
        known = info() if callable(info) else info
        return _drawn(id, adapter, known, _note("", "No data in this range") if is_empty(known) else _AWAY)

    def failed(reason: str) -> Content:
        title = id.replace("-", " ").capitalize()  # its own title was to come from the data
        nothing = LineInfo(title, "This chart couldn’t be drawn.", (), ())
        trouble = _note("chart-note-bad", "✕ This chart couldn’t be drawn", f"{reason} The rest of the page goes on.")
        return _drawn(id, adapter, nothing, trouble)

    return attempt(id, drawn, failed)


_AWAY: Final[dict[str, Any]] = {"children": None, "className": "chart-note chart-note-away"}


# What Plotly tells of each chart right after it was drawn, when it has taken the size of its box. A graph doesn't
# repeat what it knows already: without this, each chart of a page calls the server once, for nothing (see web.leads).
_SIZED: Final[dict[str, Any]] = {"autosize": True}


def _note(kind: str, title: str, more: str = "") -> dict[str, Any]:
    said = [html.Strong(title), *([html.Span(more)] if more else [])]
    return {"children": said, "className": f"chart-note {kind}".strip()}


def _drawn(id: str, adapter: ChartAdapter, info: ChartInfo, note: dict[str, Any]) -> Content:
    component = adapter.to_component(adapter.draw(info), id=id)
    props = {name: getattr(component, name) for name in component._prop_names if hasattr(component, name)}
    del props["id"]
    return {
        id: props,
        f"{id}-title": {"children": info.title},
        f"{id}-words": {"children": info.description},
        f"{id}-note": note,
    }


def chart(id: str, props: dict[str, Any]) -> Component:
    """Build the component that shows a drawing.

    Args:
        id: Its id.
        props: What `chart_content` put under this id.

    Raises:
        KeyError: No known component carries these props.
    """
    # Told by the property that carries the drawing, so that a page's layout needs no adapter.
    if "figure" in props:
        return dcc.Graph(id=id, relayoutData=_SIZED, **props)
    if "spec" in props:
        # Imported only where it is drawn with: Dash sends the scripts of every imported package to the browser.
        import dash_vega_components as dvc

        vega: Component = dvc.Vega(id=id, **props)
        return vega
    raise KeyError(f"chart {id!r} has neither a figure nor a spec")


def chart_card(
    id: str,
    view: View,
    content: Content,
    *,
    subtitle: str | Component = "",
    wide: bool = False,
    tall: bool = False,
    tools: Component | None = None,
    note: str = "",
) -> Component:
    """Build the card of a chart.

    Args:
        id: The chart's id.
        view: Decides what the menu's links export.
        content: The page's content with what `chart_content` returned.
        subtitle: A line that says what is drawn; a component when it changes.
        wide: Whether the card takes the page's full width.
        tall: Whether the chart is twice as high.
        tools: What stands between the heading and the chart: links that choose what it shows.
        note: What stands below the chart: how its numbers are defined.
    """
    title = html.H2(id=f"{id}-title", className="card-title", **content.get(f"{id}-title", {}))
    words = html.P(id=f"{id}-words", className="visually-hidden", **content.get(f"{id}-words", {}))
    heading = [title, words]
    if subtitle:
        heading.append(html.P(subtitle, className="card-subtitle") if isinstance(subtitle, str) else subtitle)
    body = chart(id, content[id]) if id in content else html.Div(className="skeleton")
    state = html.Div(id=f"{id}-note", **content.get(f"{id}-note", _AWAY))
    return html.Section(
        [
            html.Div([html.Div(heading), export_menu(id, view)], className="card-head"),
            *([] if tools is None else [tools]),
            html.Div([body, state, sight(id)], className="chart-box chart-tall" if tall else "chart-box"),
            *([html.P(note, className="card-note")] if note else []),
            dcc.Store(id=lead_id(id)),
        ],
        className="card card-wide" if wide else "card",
    )


def lead_id(id: str) -> str:
    """Return the id of what the callback of a chart's clicks writes to (see web.leads).

    Args:
        id: The chart's id.
    """
    return f"{id}-lead"
