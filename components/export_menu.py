"""The menu that downloads a chart or a table, and the link that downloads a page's report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from components.content import Content
from components.icons import icon
from components.numbers import count
from components.opener import menu_target
from components.trouble import attempt
from components.view import View

CHART_EXPORTS: Final = (
    ("csv", "CSV, the numbers"),
    ("parquet", "Parquet, the numbers with types"),
    ("png", "PNG, a picture"),
    ("svg", "SVG, to edit"),
    ("pdf", "PDF, to print"),
)
TABLE_EXPORTS: Final = (("csv", "CSV, for spreadsheets"), ("parquet", "Parquet, for pandas and databases"))
# What a row of events takes in a CSV file; measured on the demo's and on generated fleets.
_EVENT_BYTES: Final = 190


def export_query(view: View) -> str:
    """Return the query string that an export of this view takes, with its question mark.

    Args:
        view: What the page shows.
    """
    query = view.search()
    if view.path.startswith(("/scrapers/", "/events/")):  # it is of what the page's path names
        query += f"{'&' if query else '?'}page={quote(view.path, safe='')}"
    return query


def export_menu(name: str, view: View, content: Content | None = None) -> Component:
    """Build the menu whose links download a chart or a table.

    Args:
        name: Its name in `/api/export/<name>.<format>`.
        view: What the page shows; its query string goes into the links.
        content: The page's content; given for a table. What `export_size` put there is said in the menu.
    """
    query = export_query(view)
    endings = CHART_EXPORTS if content is None else TABLE_EXPORTS
    items = [
        dmc.MenuItem(title, href=f"/api/export/{name}.{ending}{query}", target="_blank", refresh=True)
        for ending, title in endings
    ]
    size_id = f"{name}-export-size"
    size = [dmc.Text(id=size_id, className="menu-note", **content[size_id])] if content and size_id in content else []
    what = "chart" if content is None else "table"
    menu: Component = dmc.Menu(
        [
            menu_target(icon("more"), label=f"Export this {what}"),
            dmc.MenuDropdown([dmc.MenuLabel("Export"), *items, *size]),
        ],
        position="bottom-end",
        shadow="md",
        withinPortal=True,
        keepMounted=bool(size),  # so that a live update finds its text
    )
    return menu


def export_size(name: str, count_rows: Callable[[], int]) -> Content:
    """Return the live text that says how much an export of events is going to be.

    Args:
        name: The table's name.
        count_rows: Returns how many rows the export will have.
    """
    id = f"{name}-export-size"

    def said() -> Content:
        rows = count_rows()
        return {id: {"children": f"{count(rows)} {'row' if rows == 1 else 'rows'}, {_size(rows)} as CSV"}}

    return attempt(id, said, lambda reason: {id: {"children": f"✕ Its size isn’t known. {reason}"}})


def _size(rows: int) -> str:
    megabytes = rows * _EVENT_BYTES / 1e6
    if megabytes < 0.95:
        return f"about {max(1, round(megabytes * 1_000)):,}\u00a0kB"
    return f"about {megabytes:,.1f}\u00a0MB" if megabytes < 9.5 else f"about {megabytes:,.0f}\u00a0MB"


def report_link(view: View) -> Component:
    """Build the link that downloads the page as a report.

    Args:
        view: What the page shows.
    """
    query = view.search()
    page = f"page={quote(view.path, safe='/%')}"
    return html.A(
        "Report (PDF)",
        href=f"/api/export/report.pdf{query}{'&' if query else '?'}{page}",
        target="_blank",
        className="report-link",
        title="Everything on this page as a PDF file, to send or to print",
    )
