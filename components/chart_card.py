"""The card around a chart: title, subtitle, the chart itself, and a menu that exports it."""

from __future__ import annotations

from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from charts.base import ChartAdapter
from charts.info import ChartInfo
from components.content import Content
from components.export_menu import export_menu
from components.view import View


def chart_content(id: str, adapter: ChartAdapter, info: ChartInfo) -> Content:
    """Draw a chart into a page's content: its live props and those that never change.

    Args:
        id: The chart's id, also its name in `/api/export/<id>.<format>`.
        adapter: Who draws.
        info: What to draw.
    """
    component = adapter.to_component(adapter.draw(info), id=id)
    props = {name: getattr(component, name) for name in component._prop_names if hasattr(component, name)}
    del props["id"]
    return {id: props, f"{id}-title": {"children": info.title}, f"{id}-words": {"children": info.description}}


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
        return dcc.Graph(id=id, **props)
    if "spec" in props:
        # Imported only where it is drawn with: Dash sends the scripts of every imported package to the browser.
        import dash_vega_components as dvc

        vega: Component = dvc.Vega(id=id, **props)
        return vega
    raise KeyError(f"chart {id!r} has neither a figure nor a spec")


def chart_card(
    id: str, view: View, content: Content, *, subtitle: str | Component = "", wide: bool = False, tall: bool = False
) -> Component:
    """Build the card of a chart.

    Args:
        id: The chart's id.
        view: Decides what the menu's links export.
        content: The page's content with what `chart_content` returned.
        subtitle: A line that says what is drawn; a component when it changes.
        wide: Whether the card takes the page's full width.
        tall: Whether the chart is twice as high.
    """
    title = html.H2(id=f"{id}-title", className="card-title", **content.get(f"{id}-title", {}))
    words = html.P(id=f"{id}-words", className="visually-hidden", **content.get(f"{id}-words", {}))
    heading = [title, words]
    if subtitle:
        heading.append(html.P(subtitle, className="card-subtitle") if isinstance(subtitle, str) else subtitle)
    body = chart(id, content[id]) if id in content else html.Div(className="skeleton")
    return html.Section(
        [
            html.Div([html.Div(heading), export_menu(id, view)], className="card-head"),
            html.Div(body, className="chart-box chart-tall" if tall else "chart-box"),
        ],
        className="card card-wide" if wide else "card",
    )
