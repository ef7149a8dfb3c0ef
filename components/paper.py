"""A page as a report: what its layout shows (figures, charts, tables, scrapers), in its order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from charts.info import ChartInfo
from charts.report import Block, Cell, Chart, Report, Stat, Table
from components.frame import described
from components.numbers import date_time
from components.view import View, source_of

_MOODS: Final = ("ok", "warn", "bad")
_KIND: Final = re.compile(r"\b([a-z]+)-h(\d+)\b")


def report_of(
    title: str, view: View, layout: Component, chart_of: Callable[[str], ChartInfo | None], now_ms: int
) -> Report:
    """Turn a page into a report.

    Args:
        title: The page's title.
        view: Its range and filters.
        layout: The page with all its content.
        chart_of: (a component's id) -> what it draws, None when it is no chart.
        now_ms: The moment, epoch milliseconds.
    """
    range = view.time_range(now_ms)
    if view.path.startswith("/scrapers/"):
        title = source_of(view.path)
    words, *filters = described(view).split(" · ")
    stats: list[Stat] = []
    blocks: list[Block] = []
    for part in _parts(layout):
        classes = _classes(part)
        if "stat" in classes:
            stats.append(_stat(part))
        elif "scrapers" in classes:
            blocks += _scrapers(part)
        elif "card" in classes:
            blocks += _card(part, classes, chart_of)
    return Report(
        title=title,
        range=f"{words}: {date_time(range.start_ms)} to {date_time(min(range.end_ms, now_ms))}",
        filters=tuple(filters),
        made=date_time(now_ms),
        notices=_notices(layout, view, now_ms),
        stats=tuple(stats),
        blocks=tuple(blocks),
    )


def _parts(component: Any) -> Iterator[Component]:
    """Return figures, cards and the grid of scrapers, not what is in them."""
    for child in _children(component):
        if not isinstance(child, Component):
            continue
        if {"stat", "card", "scrapers"} & _classes(child):
            yield child
        else:
            yield from _parts(child)


def _children(component: Any) -> list[Any]:
    children = getattr(component, "children", None)
    return list(children) if isinstance(children, (list, tuple)) else [] if children is None else [children]


def _all(component: Any) -> Iterator[Any]:
    yield component
    for child in _children(component):
        yield from _all(child)


def _classes(component: Any) -> set[str]:
    return set(str(getattr(component, "className", None) or "").split())


def _texts(component: Any) -> str:
    """Return the words in a component."""
    if isinstance(component, (str, int, float)):
        return str(component)
    return "".join(_texts(child) for child in _children(component))


def _text_of(component: Any, name: str) -> str:
    return next((_texts(one) for one in _all(component) if name in _classes(one)), "")


def _stat(card: Component) -> Stat:
    change = next((one for one in _all(card) if "stat-change" in _classes(one)), None)
    moods = _classes(change) & {"good", "bad", "ok", "warn", "flat"}
    label, value = _text_of(card, "stat-label"), _text_of(card, "stat-value")
    return Stat(label, value, _texts(change), next(iter(moods), ""))


def _card(card: Component, classes: set[str], chart_of: Callable[[str], ChartInfo | None]) -> list[Block]:
    title, subtitle = _text_of(card, "card-title"), _text_of(card, "card-subtitle")
    found: list[Block] = []
    notes = [_texts(one) for one in _all(card) if isinstance(one, html.P) and _is_note(one)]
    for one in _all(card):
        id = getattr(one, "id", None)
        if isinstance(id, str) and isinstance(one, Component) and (info := chart_of(id)) is not None:
            found.append(Chart(info, subtitle, wide="card-wide" in classes))
        elif isinstance(one, dmc.Table):
            written = _table(title, subtitle, str(one.className), _rows_of(one), notes)
            if "table-below" in _classes(one) and found and isinstance(found[-1], Table):
                written = replace(written, rows=(*found.pop().rows, *written.rows))  # type: ignore[union-attr]
            found.append(written)
    return found


def _rows_of(table: dmc.Table) -> Mapping[str, Any]:
    """Return a table's headings and rows, be they plain texts or components."""
    data = getattr(table, "data", None)
    if isinstance(data, dict):
        return data
    heads = [_texts(one) for one in _all(table) if isinstance(one, html.Th)]
    rows = [one for one in _all(table) if isinstance(one, html.Tr)]
    cells = [[_texts(cell) for cell in _children(row) if isinstance(cell, html.Td)] for row in rows]
    return {"head": heads, "body": [row for row in cells if row]}


def _is_note(paragraph: Component) -> bool:
    return not _classes(paragraph) & {"card-subtitle", "visually-hidden"} and bool(_texts(paragraph))


def _table(title: str, subtitle: str, classes: str, data: Mapping[str, Any], notes: list[str]) -> Table:
    heads = tuple(str(head) for head in data["head"])
    special = {int(place) - 1: kind for kind, place in _KIND.findall(classes)}
    kinds = tuple(special.get(place, "text") for place in range(len(heads)))
    rows = tuple(_row(kinds, [str(cell) for cell in row]) for row in data["body"])
    return Table(title, subtitle, heads, kinds, rows, tuple(notes))


def _row(kinds: tuple[str, ...], cells: list[str]) -> tuple[Cell, ...]:
    """Put the three cells of a status together: one says it, its place says the mood."""
    row: list[Cell] = []
    place = 0
    for kind in kinds:
        if kind == "status":
            said = zip(_MOODS, cells[place : place + 3], strict=True)
            row.append(next((Cell(text, mood) for mood, text in said if text), Cell("")))
            place += 3
        else:
            row.append(Cell(cells[place]))
            place += 1
    return tuple(row)


def _scrapers(grid: Component) -> list[Block]:
    rows: list[tuple[Cell, ...]] = []
    heads: list[str] = []
    notes: list[str] = []
    for card in _children(grid):
        if "scraper-more" in _classes(card) or not isinstance(card, dcc.Link):
            notes.append(_texts(card))
            continue
        state = next(one for one in _all(card) if "state" in _classes(one))
        facts = [line.split(" ", 1) for line in _text_of(card, "facts").split("\n")]
        heads = ["Scraper", "State", *(fact[0] for fact in facts)]
        mood = next(iter(_classes(state) & set(_MOODS)), "")
        name = Cell(_text_of(card, "scraper-name"))
        rows.append((name, Cell(_texts(state), mood), *(Cell(fact[-1]) for fact in facts)))
    if not rows:
        return []
    kinds = ("name", "status", *("number" for _ in heads[2:]))
    return [Table("Scrapers", "Those that need attention first", tuple(heads), kinds, tuple(rows), tuple(notes))]


def _notices(layout: Component, view: View, now_ms: int) -> tuple[str, ...]:
    away = any("page-body-away" in _classes(one) for one in _all(layout))
    return (*view.problems_at(now_ms), *(["There is no data in this range, with these filters."] if away else []))
