"""The router: which page an address shows, and how an open page follows (over the socket, or by polling)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dash import Dash, Input, Output, State, ctx, dcc, no_update, set_props
from dash.development.base_component import Component

from charts.base import ChartAdapter
from charts.info import ChartInfo
from charts.report import Report
from components import ids
from components.filters import filter_content
from components.nav import badge_props, nav
from components.paper import report_of
from components.shell import Shown
from components.status import database_banner, live_pill, paused_state, pill_props
from components.trouble import Troubles, noting, reason_of
from components.view import ONE_KIND_PATHS, View, source_of
from db.clock import now_ms
from db.errors import DatabaseUnavailable, NotAddedUpYet
from db.queries import Queries
from db.results import FilterChoices
from db.store import Store
from live.diff import Content, digest, digests, normalise
from live.views import RELOAD_ID, ViewEngine
from pages import NOT_FOUND, PAGES, SYSTEM, find
from pages.page import Export, Exported, Page, broken, unreachable
from web.first_page import FIRST
from web.frame_controls import FRAME_STATES, set_frame
from web.freshness import Freshness
from web.libraries import need
from web.sight import SIGHTS, register_sight, tell_sight

log = logging.getLogger(__name__)
POLL_INTERVAL_MS = 3_000
KEEPALIVE_INTERVAL_MS = 20_000
LONGEST_HREF = 16_384  # characters; what is cut off there no page understands


@dataclass(frozen=True, slots=True)
class Loaded:
    """A page as it was loaded: its view, its components, and what they show (None when it couldn't be read).

    One that is broken can't be followed: nothing of what would be sent has a place there.
    """

    view: View
    layout: Component
    content: Content | None
    broken: bool = False


class PageSource:
    """The pages as the view engine and the router ask for them: pure functions of link, data and time."""

    def __init__(self, queries: Queries, adapter: ChartAdapter, store: Store, *, database: str) -> None:
        """Take what pages are made of; `database` is its name in error messages, without a password."""
        self.queries = queries
        self.database = database
        self.adapter = adapter
        self.store = store
        self.freshness = Freshness(queries)
        self.troubles = Troubles()

    def numbers(self, href: str, now_ms: int) -> Mapping[str, Mapping[str, Any]]:
        """Return cards, texts and tables of a view."""
        page, view = self._resolve(href)
        if page.needs_database:
            self._check_database()
        with self._watched(page):
            numbers = page.numbers(self.queries, view, now_ms)
        return {**numbers, **filter_content(self.source_names(), view)}

    def charts(self, href: str, now_ms: int) -> Mapping[str, Mapping[str, Any]]:
        """Return the charts of a view."""
        page, view = self._resolve(href)
        if page.needs_database:
            self._check_database()
        with self._watched(page):
            return page.charts(self.queries, self.adapter, view, now_ms)

    def status(self, now_ms: int) -> Mapping[str, Mapping[str, Any]]:
        """Return the banner that says whether the database is away, and the number beside the Alerts tab."""
        del now_ms
        health = self.store.health()
        return {
            ids.DATABASE_BANNER: database_banner(health.unreachable_since_ms, health.unwritable_since_ms),
            ids.ALERT_BADGE: badge_props(self.firing()),
        }

    def firing(self) -> int:
        """Return how many alerts fire; while the database is away, how many did before."""
        return self.queries.alert_counts(ask=self.store.health().reachable)["firing"]

    def period_ms(self, href: str) -> int:
        """Return the length of the view's time bucket, or less where the page's own clock is finer."""
        page, view = self._resolve(href)
        bucket_ms = view.time_range(now_ms()).bucket_ms
        return bucket_ms if page.period_ms is None else min(bucket_ms, page.period_ms)

    def load(self, pathname: str, search: str) -> Loaded:
        """Build a page for its first showing."""
        view = View.parse(pathname, search)
        href, moment_ms, page = view.href(), now_ms(), find(view.path)
        try:
            content = {
                component_id: dict(props)
                for part in (self.numbers(href, moment_ms), self.charts(href, moment_ms))
                for component_id, props in part.items()
            }
            with self._watched(page):
                layout = page.layout(view, content)
        except DatabaseUnavailable as exc:
            return Loaded(view, unreachable(str(exc)), None)
        except Exception as exc:  # noqa: BLE001 - a mistake in one page must leave the way to the others; it was noted
            return Loaded(view, broken(page.title, reason_of(exc), href), None, broken=True)
        return Loaded(view, layout, normalise({**content, **self.status(moment_ms)}))

    def source_names(self) -> tuple[str, ...]:
        """Return the sources to choose from; none while the database is away."""
        try:
            self._check_database()
            return self.queries.source_names()
        except DatabaseUnavailable:
            return ()

    def choices(self, view: View) -> FilterChoices:
        """Return what filters can be set to in a view's range; nothing while that can't be told."""
        try:
            self._check_database()
            return self.queries.filter_choices(view.time_range(now_ms()))
        except (DatabaseUnavailable, NotAddedUpYet):  # a part of them would look like all there are
            return FilterChoices()

    def exporters(self) -> Mapping[str, Callable[[View, int], Exported]]:
        """Return what can be exported, by name: (view, now_ms) -> a chart's info or a table."""
        return {
            name: self._exporter(page, export) for page in (*PAGES, SYSTEM) for name, export in page.exports.items()
        }

    def report(self, view: View, now_ms: int) -> Report:
        """Return the page of a view as a report.

        Args:
            view: Which page, range and filters.
            now_ms: The moment, epoch milliseconds.

        Raises:
            DatabaseUnavailable: The database can't be asked.
            LookupError: There is no such page.
        """
        page = find(view.path)
        if page is NOT_FOUND:
            raise LookupError(f"there is no page {view.path[:80]}: name one, as in ?page=/navigation")
        self._check_database()
        layout = page.layout(view, page.content(self.queries, self.adapter, view, now_ms))

        def chart_of(id: str) -> ChartInfo | None:
            exported = page.exports[id](self.queries, view, now_ms) if id in page.exports else None
            return exported if isinstance(exported, ChartInfo) else None

        return report_of(page.title, view, layout, chart_of, now_ms)

    def reports(self) -> Mapping[str, str]:
        """Return the reports there are, by name: the path of the page that each is of."""
        return {"report": "/", **{f"{page.name}-report": page.path for page in PAGES}}

    def _exporter(self, page: Page, export: Export) -> Callable[[View, int], Exported]:
        def run(view: View, now_ms: int) -> Exported:
            self._check_database()
            # An export's own address doesn't say which tab it belongs to, and a tab decides what a filter means.
            own = view.at(page.path) if page.path in ONE_KIND_PATHS else view
            return export(self.queries, own, now_ms)

        return run

    @contextmanager
    def _watched(self, page: Page) -> Iterator[None]:
        """Note what goes wrong within, be it a part's trouble or the page's own."""
        with noting(self.troubles.note):
            try:
                yield
            except DatabaseUnavailable:
                raise
            except Exception as exc:
                self.troubles.note(page.name, exc)
                raise

    def _resolve(self, href: str) -> tuple[Page, View]:
        path, _, search = href.partition("?")
        view = View.parse(path, search)
        return find(view.path), view

    def _check_database(self) -> None:
        # An unreachable database costs seconds of time-out per question: ask it only when it answers again.
        health = self.store.health()
        if not health.reachable:
            raise DatabaseUnavailable(self.database, health.last_error or "it doesn't answer")


def page_title(view: View) -> str:
    """Return what the browser's tab says of a view: its page, or the source that its page is about."""
    page = find(view.path)
    name = source_of(view.path) if page.path == "/scrapers/" else page.title
    return f"{name} · Scrapeboard"


def showing(source: PageSource, pathname: str, search: str) -> Shown:
    """Load the page of an address, with all that the frame says of it.

    Args:
        source: The pages.
        pathname: The address' path.
        search: Its query string with its question mark, or "".
    """
    loaded = source.load(pathname, search)
    view = loaded.view
    following = view.follows_now and not loaded.broken
    data = {
        "href": view.href(),
        "follow": view.follows_now,
        "complete": loaded.content is not None,
        "digests": digests(loaded.content or {}),
    }
    return Shown(
        view=view,
        page=loaded.layout,
        title=page_title(view),
        pill=live_pill("connecting" if following else paused_state(view), source.freshness.since_ms),
        banner=dict(source.status(0)[ids.DATABASE_BANNER]),
        data=None if loaded.broken else data,
        firing=source.firing(),
    )


def register_router(app: Dash, source: PageSource, engine: ViewEngine) -> None:
    """Register the callbacks that load pages and let them follow."""
    register_sight(app, engine)

    @app.callback(
        output=(
            Output(ids.PAGE, "children"),
            Output(ids.NAV, "children"),
            Output(ids.TITLE, "children"),
            Output(ids.LIVE_PILL, "children"),
            Output(ids.LIVE_PILL, "className"),
            Output(ids.DATABASE_BANNER, "children"),
            Output(ids.DATABASE_BANNER, "className"),
            Output(ids.VIEW, "data"),
        ),
        inputs={
            "pathname": Input(ids.URL, "pathname"),
            "search": Input(ids.URL, "search"),
            "_reload": Input(RELOAD_ID, "data"),
            "there": State(ids.VIEW, "data"),
            "said": FRAME_STATES,
        },
    )
    def load(
        pathname: str | None, search: str | None, _reload: object, there: dict[str, Any] | None, said: dict[str, Any]
    ) -> tuple[Any, ...]:
        set_frame(View.parse(pathname, search), said)
        if there and ctx.triggered_id != RELOAD_ID and there.get(FIRST) == [pathname or "/", search or ""]:
            return (*[no_update] * 7, {key: value for key, value in there.items() if key != FIRST})
        shown = showing(source, pathname or "/", search or "")
        need(find(shown.view.path).libraries)
        return (
            shown.page,
            nav(shown.view, shown.firing),
            shown.title,
            shown.pill["children"],
            shown.pill["className"],
            shown.banner["children"],
            shown.banner["className"],
            shown.data,
        )

    @app.callback(Input(ids.VIEW, "data"), SIGHTS, websocket=True, prevent_initial_call=True)
    def follow(data: dict[str, Any] | None, _sights: object) -> None:
        """A page was loaded: follow its view, knowing what it shows already."""
        if ctx.websocket is None:
            if data and data.get("follow"):
                set_props(ids.KEEPALIVE, {"interval": POLL_INTERVAL_MS})
                set_props(ids.LIVE_PILL, pill_props("polling"))
            return
        _join(data, fresh=True)
        tell_sight(engine, ctx.states_list[0])  # it may have told before it followed

    @app.callback(Input(ids.URL, "pathname"), Input(ids.URL, "search"), websocket=True, prevent_initial_call=True)
    def go(pathname: str | None, search: str | None) -> None:
        """The address changed: what comes now is for a page that is about to be replaced."""
        if ctx.websocket is not None:
            engine.go(ctx.websocket.renderer_id, View.parse(pathname, search).href())

    @app.callback(State(ids.VIEW, "data"), SIGHTS, websocket=True)
    def return_(data: dict[str, Any] | None, _sights: object) -> None:
        """Follow again: Dash calls this after every reconnect, when anything may have been missed."""
        if ctx.websocket is not None and data and FIRST not in data:
            _join(data, fresh=False)
            tell_sight(engine, ctx.states_list[1])

    @app.callback(
        Input(ids.KEEPALIVE, "n_intervals"), State(ids.VIEW, "data"), websocket=True, prevent_initial_call=True
    )
    def keepalive(_n: int | None, data: dict[str, Any] | None) -> None:
        """Renew the page's lease; without a socket, poll instead."""
        if not data or FIRST in data:
            return
        if ctx.websocket is None:
            _poll(source, data)
        elif data.get("follow") and engine.follows(ctx.websocket.renderer_id) != data.get("href"):
            followed = _join(data, fresh=False)
            if not followed:  # it gets a place when somebody else leaves; until then it is not left behind
                _poll(source, data)

    def _join(data: dict[str, Any] | None, *, fresh: bool) -> bool:
        """Follow what the page shows; False when it can't, because too many views are followed already."""
        renderer_id = ctx.websocket.renderer_id
        if not data:
            engine.leave(renderer_id)
            return True
        # The link comes from the browser: bring it to canonical form, so that equal views are one view.
        path, _, search = str(data.get("href", "/"))[:LONGEST_HREF].partition("?")
        view = View.parse(path, search)
        href = view.href()
        known = data.get("digests") if fresh and isinstance(data.get("digests"), dict) else None
        if not data.get("follow"):
            engine.settle(renderer_id, href, known)
            set_props(ids.LIVE_PILL, pill_props(paused_state(view)))  # a last heartbeat may have turned it
            return True
        followed = engine.join(renderer_id, href, known, reload=not data.get("complete"))
        set_props(ids.LIVE_PILL, pill_props("live", source.freshness.since_ms) if followed else pill_props("crowded"))
        return followed


def _poll(source: PageSource, data: dict[str, Any]) -> None:
    """Bring a page without a socket up to date: what differs from what it shows travels as whole props."""
    if not data.get("follow"):
        return
    path, _, search = str(data.get("href", "/"))[:LONGEST_HREF].partition("?")
    loaded = source.load(path, search)
    if loaded.broken:  # what is there stays, as it does over a socket
        return
    if loaded.content is None or not data.get("complete"):
        for component_id, props in source.status(0).items():
            set_props(component_id, dict(props))
        if loaded.content is not None:
            set_props(RELOAD_ID, {"data": now_ms()})
        return
    shown = data.get("digests") if isinstance(data.get("digests"), dict) else {}
    current = {component_id: digest(props) for component_id, props in loaded.content.items()}
    for component_id, props in loaded.content.items():
        if (shown or {}).get(component_id) != current[component_id]:
            set_props(component_id, props)
    if current != shown:
        set_props(ids.VIEW, {"data": {**data, "digests": current}})


def router_parts() -> list[Component]:
    """Return the invisible components that the router needs besides the shell's."""
    return [dcc.Store(id=RELOAD_ID)]
