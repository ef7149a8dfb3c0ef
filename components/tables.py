"""Tables that live updates can afford: one component each, rows as plain JSON texts, columns styled by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from components.aria import aria
from components.content import Content
from components.export_menu import export_menu
from components.row_leads import led
from components.view import View

Mood = Literal["ok", "warn", "bad"]
ColumnKind = Literal["text", "number", "status", "name", "clip", "time"]

# A status is three cells of which two are empty; the stylesheet hides empty ones and colours each place. That is how
# a plain-text table tells good from bad by symbol, word and colour without a component per cell.
_MOODS: Final[tuple[Mood, ...]] = ("ok", "warn", "bad")
_LONGEST_TEXT: Final = 300
# Fixed widths: with a table that measures its cells, every new row would cost the browser a look at all rows.
_WIDTHS_PX: Final[dict[ColumnKind, int]] = {"text": 112, "number": 100, "status": 124, "name": 136, "time": 144}
_LEAST_CLIP_PX: Final = 144


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Args:
        title: Its heading.
        kind: `text`, `number` (right-aligned), `time`, `status` (a `Status` per row), `name` or `clip` (long texts are
            cut to the column's width and shown whole when the pointer rests on them).
        width_px: Its width; what its kind needs when None. `clip` columns share the space that is left.
    """

    title: str
    kind: ColumnKind = "text"
    width_px: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """A judgement in a cell: a symbol and a word, coloured by mood."""

    mood: Mood
    text: str


OK: Final = Status("ok", "✓ ok")
FAILED: Final = Status("bad", "✕ failed")


def table_props(
    columns: Sequence[Column], rows: Sequence[Sequence[str | Status]], leads: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return the live props of a table.

    Args:
        columns: c columns.
        rows: Rows of c cells.
        leads: Where each row leads (components.row_leads); None when they lead nowhere.
    """
    data: dict[str, Any] = {"head": [column.title for column in columns], "body": [_body_row(row) for row in rows]}
    if leads is not None:
        data["leads"] = list(leads)  # unknown to the component, which draws head and body
    return {"data": data}


def table(
    id: str,
    columns: Sequence[Column],
    props: dict[str, Any],
    *,
    min_width_px: int = 640,
    leading: Content | None = None,
) -> Component:
    """Build a table that scrolls inside its card when the window is narrow.

    Args:
        id: Its id.
        columns: The columns that `props` was made with.
        props: What `table_props` returned.
        min_width_px: Below this width it scrolls sideways.
        leading: The page's content, when the table's rows lead somewhere.
    """
    bare = bare_table(id, columns, props, min_width_px=min_width_px)
    return scrolling(bare if leading is None else led(id, bare, leading))


def table_below(id: str, columns: Sequence[Column], props: dict[str, Any], *, min_width_px: int = 640) -> Component:
    """Build a table that goes on where another one of the same columns ends; its headings are only heard, not seen.

    Args:
        id: Its id.
        columns: The columns that `props` was made with.
        props: What `table_props` returned.
        min_width_px: As of the table above.
    """
    return bare_table(id, columns, props, min_width_px=min_width_px, class_name="table-below")


def scrolling(*tables: Component, **props: Any) -> Component:
    """Put tables, one below the other, into the box that scrolls them.

    Args:
        tables: Tables of the same columns.
        props: Further properties of the box.
    """
    return html.Div(
        tables[0] if len(tables) == 1 else list(tables),
        className="table-scroll",
        tabIndex="0",
        role="region",
        **aria(label="Table, scrollable"),
        **props,
    )


def bare_table(
    id: str, columns: Sequence[Column], props: dict[str, Any], *, min_width_px: int = 640, class_name: str = ""
) -> Component:
    """Build a table for a box that is there already.

    Args:
        id: Its id.
        columns: The columns that `props` was made with.
        props: What `table_props` returned.
        min_width_px: It is never narrower, nor than what lets something be read in each of its columns.
        class_name: Further classes.
    """
    built: Component = dmc.Table(
        id=id,
        className=f"table {column_classes(columns)} {class_name}".rstrip(),
        tabularNums=True,
        highlightOnHover=True,
        stickyHeader=True,
        verticalSpacing=6,
        horizontalSpacing=12,
        style={"minWidth": max(min_width_px, least_width_px(columns)), **column_widths(columns)},
        **props,
    )
    return built


def table_card(
    title: str,
    body: Component | list[Component],
    *,
    subtitle: str = "",
    wide: bool = False,
    export: str = "",
    view: View | None = None,
    content: Content | None = None,
    all_href: str = "",
) -> Component:
    """Put a table into a card with a heading.

    Args:
        title: The heading.
        body: The table, and what stands above or below it.
        subtitle: A line that says what the rows are.
        wide: Whether the card takes the page's full width.
        export: The table's name in `/api/export/<name>.<format>`; without it, there is no menu.
        view: Decides what the menu's links export; needed with `export`.
        content: The page's content, when it says how large the export is (`export_size`).
        all_href: Where all of it can be seen, and each row in full.
    """
    heading: list[Component] = [html.H2(title, className="card-title")]
    if subtitle:
        heading.append(html.P(subtitle, className="card-subtitle"))
    way = [dcc.Link("See all", href=all_href, className="card-all")] if all_href else []
    menu = [export_menu(export, view, content or {})] if export and view is not None else []
    tools = [html.Div([*way, *menu], className="card-tools")] if way else menu
    return html.Section(
        [html.Div([html.Div(heading), *tools], className="card-head"), *(body if isinstance(body, list) else [body])],
        className="card card-wide" if wide else "card",
    )


def short_url(url: str) -> str:
    """Leave out what every URL starts with; the column's width cuts the rest."""
    return one_line(url.removeprefix("https://"))


def one_line(text: str) -> str:
    """Fold white space, and cut what no one reads in a table."""
    folded = " ".join(text.split())
    return folded if len(folded) <= _LONGEST_TEXT else folded[: _LONGEST_TEXT - 1] + "…"


def column_widths(columns: Sequence[Column]) -> dict[str, str]:
    """Return each heading's width as the variable that the stylesheet reads it from."""
    widths = [column.width_px or _WIDTHS_PX.get(column.kind) for column in columns]
    return {f"--w{place}": f"{width_px}px" for place, width_px in enumerate(widths, 1) if width_px}


def least_width_px(columns: Sequence[Column]) -> int:
    """Return the width below which a table scrolls: columns that share what is left would have nothing."""
    return sum(column.width_px or _WIDTHS_PX.get(column.kind, _LEAST_CLIP_PX) for column in columns)


def _body_row(row: Sequence[str | Status]) -> list[str]:
    cells: list[str] = []
    for cell in row:
        if isinstance(cell, Status):
            cells.extend(cell.text if cell.mood == mood else "" for mood in _MOODS)
        else:
            cells.append(cell)
    return cells


def column_classes(columns: Sequence[Column]) -> str:
    """Name special columns by their place among headings (h) and among cells (c), where a status takes three."""
    classes: list[str] = []
    cell = 1
    for heading, column in enumerate(columns, 1):
        if column.kind != "text":
            classes += [f"{column.kind}-h{heading}", f"{column.kind}-c{cell}"]
        cell += 3 if column.kind == "status" else 1
    return " ".join(classes)
