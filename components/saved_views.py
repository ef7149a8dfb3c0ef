"""Views saved under a name in this browser, the menu that lists them, and the button that copies the view's link."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from components import ids
from components.aria import aria
from components.icons import icon
from components.opener import popover_later, popover_target
from components.view import View

MOST_VIEWS: Final = 50
LONGEST_NAME: Final = 60
LONGEST_HREF: Final = 8_000
_DELETE: Final = "saved-delete"


@dataclass(frozen=True, slots=True)
class SavedView:
    """A view under a name.

    Args:
        name: What people called it.
        href: Its canonical link.
    """

    name: str
    href: str


def read_saved(stored: object) -> tuple[SavedView, ...]:
    """Read what a browser has kept; what isn't a saved view of ours is left out, whatever it is.

    Args:
        stored: The store's data: a list of `{"name": ..., "href": ...}`, if nobody has touched it.
    """
    found: dict[str, SavedView] = {}
    for entry in stored if isinstance(stored, list) else []:
        name, href = (entry.get("name"), entry.get("href")) if isinstance(entry, dict) else (None, None)
        if isinstance(name, str) and isinstance(href, str) and len(href) <= LONGEST_HREF and tidy(name):
            # Read as an address of ours, so that nothing kept there can lead anywhere else.
            path, _, search = href.partition("?")
            found.setdefault(tidy(name), SavedView(tidy(name), View.parse(path, search).href()))
    return tuple(found.values())[:MOST_VIEWS]


def with_view(saved: Sequence[SavedView], name: str, href: str) -> tuple[tuple[SavedView, ...], str]:
    """Save a view, in the place of one of the same name.

    Args:
        saved: The views saved before.
        name: Its name as it was written.
        href: Its canonical link.

    Returns:
        (the views, what is wrong or an empty text).
    """
    name = tidy(name)
    if not name:
        return tuple(saved), "Give it a name."
    if len(href) > LONGEST_HREF:
        return tuple(saved), "Its link is too long to be kept."
    if any(view.name == name for view in saved):
        return tuple(SavedView(name, href) if view.name == name else view for view in saved), ""
    if len(saved) >= MOST_VIEWS:
        return tuple(saved), f"There are {MOST_VIEWS} already: delete one first."
    return (*saved, SavedView(name, href)), ""


def tidy(name: str) -> str:
    """Return a name as it is shown: on one line, no longer than `LONGEST_NAME`."""
    printable = "".join(sign if sign.isprintable() else " " for sign in name)
    return " ".join(printable.split())[:LONGEST_NAME].strip()


def views_menu() -> Component:
    """Build the menu of saved views, and beside it the button that copies the link."""
    name = dmc.TextInput(
        id=ids.SAVED_NAME,
        placeholder="Name of this view",
        debounce=True,  # else Enter may come before the last letters
        inputProps={"maxLength": LONGEST_NAME},
        **aria(label="Name of this view"),
    )
    dropdown = [
        html.Div(id=ids.SAVED_LIST, className="saved-list"),
        html.Div([name, dmc.Button("Save view", id=ids.SAVED_SAVE)], className="saved-new"),
        html.P("Range, filters and comparison of this page, kept in this browser.", className="filter-help"),
    ]
    target = popover_target(html.Span([icon("saved"), "Views", icon("down")]), look="filter-button")
    popover = dmc.Popover(
        [target, popover_later(html.Div(dropdown, className="saved-views"), ids.SAVED_POPOVER_CONTENT)],
        id=ids.SAVED_POPOVER,
        position="bottom-end",
        shadow="md",
        width=320,
        trapFocus=True,
    )
    copy = dmc.CopyButton(
        [icon("link"), html.Span("Copy link")],
        id=ids.COPY_LINK,
        value="",
        copiedChildren=[icon("link"), html.Span("Copied ✓", role="status")],
        timeout=2_000,
        variant="default",
        className="copy-link",
    )
    return html.Div([dcc.Store(id=ids.SAVED, storage_type="local"), popover, copy], className="views")


def saved_list(saved: Sequence[SavedView], current: str) -> list[Component]:
    """Build the entries of the menu.

    Args:
        saved: The saved views.
        current: The link of the view that is shown; its entry says so.
    """
    if not saved:
        return [html.P("No view is saved yet.", className="saved-none")]
    return [_entry(view, current) for view in saved]


def register_saved_views_callbacks(app: Dash) -> None:
    """Let the menu list, save and delete views; what the button copies is the router's part.

    Args:
        app: The app whose layout holds `views_menu`.
    """

    @app.callback(
        Output(ids.SAVED_LIST, "children"),
        Input(ids.SAVED, "modified_timestamp"),
        Input(ids.SAVED_POPOVER, "opened"),
        State(ids.URL, "pathname"),
        State(ids.URL, "search"),
        State(ids.SAVED, "data"),
    )
    def show(
        _changed: int | None, _opened: bool | None, pathname: str | None, search: str | None, stored: object
    ) -> list[Component]:
        return saved_list(read_saved(stored), View.parse(pathname, search).href())

    @app.callback(
        Output(ids.SAVED, "data"),
        Output(ids.SAVED_NAME, "value"),
        Output(ids.SAVED_NAME, "error"),
        Input(ids.SAVED_SAVE, "n_clicks"),
        Input(ids.SAVED_NAME, "n_submit"),
        Input({"type": _DELETE, "name": ALL}, "n_clicks"),
        State(ids.SAVED_NAME, "value"),
        State(ids.SAVED, "data"),
        State(ids.URL, "pathname"),
        State(ids.URL, "search"),
        prevent_initial_call=True,
    )
    def change(
        _clicks: int | None,
        _submits: int | None,
        deletes: list[int | None],
        name: str | None,
        stored: object,
        pathname: str | None,
        search: str | None,
    ) -> tuple[Any, Any, Any]:
        saved = read_saved(stored)
        if isinstance(touched := ctx.triggered_id, dict):
            if not any(deletes):  # the list was drawn, nobody has clicked
                return no_update, no_update, no_update
            return _plain([view for view in saved if _key(view.name) != touched.get("name")]), no_update, None
        views, wrong = with_view(saved, name or "", View.parse(pathname, search).href())
        return (no_update, no_update, wrong) if wrong else (_plain(views), "", None)


def _entry(view: SavedView, current: str) -> Component:
    here = view.href == current
    return html.Div(
        [
            dcc.Link(
                [view.name, html.Span(" · shown now", className="saved-here")] if here else view.name,
                href=view.href,
                className="saved-link",
                title=view.name,
            ),
            dmc.ActionIcon(
                icon("delete"),
                id={"type": _DELETE, "name": _key(view.name)},
                variant="subtle",
                color="gray",
                **aria(label=f"Delete {view.name}"),
            ),
        ],
        className="saved-entry",
    )


def _key(name: str) -> str:
    """Return what stands for a name in an id: a name may hold any sign."""
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _plain(views: Sequence[SavedView]) -> list[dict[str, str]]:
    return [{"name": view.name, "href": view.href} for view in views]
