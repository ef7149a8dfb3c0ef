"""Scrapeboard's program: wires the rooms together (`create_app`); the command line is web.commands."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import Any

from dash import Dash, html
from flask import Flask, has_request_context, request
from sqlalchemy.engine import Engine

import collector
from alerts.delivery.service import DeliveryService
from alerts.service import AlertService
from api.alerts import alerts_blueprint
from api.export import export_blueprint
from api.health import health_blueprint
from api.ingest import ingest_blueprint
from api.prometheus import BoardCollector, prometheus_blueprint
from api.realtime import realtime_blueprint
from api.refusals import tell_in_json
from charts import make_adapter
from charts.drawing import DrawingProcess
from components import ids
from components.compare import register_compare_callback
from components.filters import register_filter_callbacks
from components.saved_views import register_saved_views_callbacks
from components.shell import register_shell_callbacks, shell
from components.status import beat_props, stale_props
from components.theme_picker import theme_of
from components.trouble import Troubles
from db.alert_tables import AlertTables
from db.clock import now_ms
from db.collectors import Collectors
from db.engine import make_engine
from db.errors import where_is
from db.follow import Follower
from db.identity import database_identity
from db.job_history import JobHistory
from db.job_rollups import JobRollups
from db.lost_runs import LostRuns
from db.maintenance import Nightly
from db.migrate import upgrade
from db.newest import newest_ids
from db.queries import Queries
from db.reader_process import ReaderProcess
from db.recent import RecentDetail
from db.recent_runs import RecentRuns
from db.replica import make_read_engine
from db.rollups import Rollups
from db.store import Store
from live import frames
from live.backplane import Backplane
from live.channel import Channel
from live.dash_backend import DashChannel, make_backend
from live.hub import Hub
from live.pulse import Pulse
from live.renderers import Renderers
from live.sockets import MetricsSocket, serve_metrics_socket
from live.views import ViewEngine
from pages import PAGES
from settings import Settings
from web.alerting import make_alerting, register_alerting
from web.event_rows import register_event_callbacks
from web.first_page import first_page
from web.freshness import Freshness
from web.hosts import guard_hosts, names_allowed
from web.index import ThemedDash
from web.joining import make_backplane
from web.kept_files import KeptFiles
from web.leads import register_leads
from web.libraries import lend_libraries
from web.own_collector import INTERVAL_S, OwnCollector
from web.router import PageSource, register_router, router_parts, showing
from web.scripts import serve_scripts
from web.stylesheets import EACH, serve_stylesheets
from web.vitals import VitalSigns

log = logging.getLogger("scrapeboard")

HEARTBEAT_S = 5.0
DATABASE_CHECK_S = 2.0
LEASE_CHECK_S = 30.0
LOST_RUNS_CHECK_S = 10.0
RATES_S = 1.0
OPEN_HOUR_MS = 60_000  # how old the rollup of scheduler runs of the hour that isn't over may be
MAX_CALLBACK_BYTES = 8 << 20


@dataclass(slots=True)
class Scrapeboard:
    """The running program: its web server's application and the threads behind it."""

    dash: Dash
    server: Flask
    store: Store
    hub: Hub
    channel: Channel
    views: ViewEngine
    dash_channel: DashChannel
    queries: Queries
    reader: ReaderProcess
    collectors: Collectors
    lost_runs: LostRuns
    rollups: Rollups
    jobs: JobRollups
    follower: Follower
    nightly: Nightly
    alerts: AlertService
    delivery: DeliveryService
    drawing: DrawingProcess
    pulse: Pulse
    housekeeping: Pulse  # what may take its time: a heartbeat must not wait for it
    backplane: Backplane | None  # with several processes
    troubles: Troubles
    vitals: VitalSigns
    engine: Engine

    def start(self) -> None:
        """Start the threads; to be called in the process that serves."""
        self.hub.start()
        if self.backplane is not None:
            self.backplane.start()
        self.views.start()
        self.reader.start()
        self.rollups.start(
            also=partial(self.jobs.run_once, open_every_ms=OPEN_HOUR_MS), then=lambda: self.queries.warm(now_ms())
        )
        self.follower.start()
        self.nightly.start()
        self.alerts.start()
        self.delivery.start()
        self.pulse.start()
        self.housekeeping.start()

    def stop(self, timeout_s: float = 8.0) -> None:
        """Flush what is pending, say good-bye to every client (1001) and end the threads.

        Args:
            timeout_s: How long all of it may take. What isn't done by then ends with the process, which is safe.
        """
        end_s = time.monotonic() + timeout_s
        for pulse in (self.pulse, self.housekeeping):
            pulse.stop(0.0)
        collector.flush(timeout_s=timeout_s * 0.4)
        self.views.stop(0.5)
        self.dash_channel.stop()
        if self.backplane is not None:
            self.backplane.stop(1.0)
        self.hub.call(self.channel.flush)
        self.hub.stop(max(1.0, end_s - time.monotonic()))
        # The clients know; now whatever may have to wait for a database that hangs.
        write_reports = partial(self.collectors.flush, all=True)
        rest = (
            self.alerts.stop,
            self.nightly.stop,
            self.reader.stop,
            self.drawing.stop,
            self.follower.stop,
            self.rollups.stop,
            self.delivery.stop,  # which nobody feeds any more; it waits for what is on its way
        )
        # With the last connection SQLite brings its journal into the file, which may then be copied alone.
        ending = Thread(
            target=lambda: [end() for end in (write_reports, *rest, self.engine.dispose)], name="ending", daemon=True
        )
        ending.start()
        ending.join(max(0.1, end_s - time.monotonic()))

    def stats(self) -> dict[str, Any]:
        """Return the live channel's statistics."""
        return {
            **self.vitals.stats(),
            **({} if self.backplane is None else {"redisUp": self.backplane.status()["status"] == "ok"}),
            **self.troubles.stats(),
            **self.alerts.stats(),
        }

    def redis_status(self) -> dict[str, Any]:
        """Return how it stands with Redis."""
        return {"status": "not used"} if self.backplane is None else self.backplane.status()

    def redis_stats(self) -> dict[str, Any]:
        """Return what was carried between processes."""
        return {"status": "not used"} if self.backplane is None else self.backplane.stats()


def create_app(settings: Settings) -> Scrapeboard:
    """Wire everything; nothing runs before `start`.

    Args:
        settings: what the operator set.

    Returns:
        The program, its database migrated and read.

    Raises:
        DatabaseError: the database can't be reached, or its schema is newer than this program.
        RedisRefused: Redis' URL can't be used; that Redis is away is no reason not to start.
    """
    engine = make_engine(url=settings.database_url)
    upgrade(engine)
    store = Store(engine)
    recent = RecentDetail(settings.recent_rows)
    runs = RecentRuns()
    follower = Follower(engine, store)
    collectors = Collectors(engine)
    recent.load(engine, also=lambda connection: [begin(connection) for begin in (follower.begin, runs.read)])
    reader = ReaderProcess(settings.database_url)
    rollups, jobs = Rollups(engine, look=reader.look), JobRollups(engine)
    reading = engine
    if settings.database_read_url:
        reading = make_read_engine(url=settings.database_read_url, primary_url=settings.database_url, primary=engine)
    queries = Queries(reading, recent, rollups=rollups, jobs=JobHistory(reading, runs, jobs))
    collector.configure(sinks=[store], handle_sigterm=False)  # the web server handles it

    hub = Hub(outboxes_limit_bytes=settings.outboxes_max_bytes)
    channel = Channel(hub, first_seq=newest_ids(engine))
    renderers = Renderers(hub)
    adapter = make_adapter(settings.charts)
    drawing = DrawingProcess()
    source = PageSource(queries, adapter, store, database=where_is(engine))
    views = ViewEngine(source, renderers.send)
    dash_channel = DashChannel(
        hub, renderers, on_leave=views.leave, on_missed=views.rejoin, allowed_origins=settings.allowed_origins
    )
    alert_tables = AlertTables(engine)
    alerts, delivery = make_alerting(alert_tables, queries, on_change=views.changed, public_url=settings.public_url)
    # Memory first, so that whoever is told of the new metrics finds them there.
    store.subscribe_runs(runs.append)
    for listener in (recent.append, rollups.mark, jobs.mark, views.changed, alerts.wake):
        store.subscribe(listener)
    for told in (recent.touch, views.changed):
        store.subscribe_told(told)
    backplane = None
    if settings.redis_url:
        backplane = make_backplane(settings.redis_url, database_identity(engine), store, follower, channel)
        store.subscribe_commits(backplane.publish)
    else:
        store.subscribe(channel.publish)
        store.subscribe_told(channel.publish)

    dash = ThemedDash(
        __name__,
        title="Scrapeboard",
        backend=make_backend(dash_channel),
        websocket_inactivity_timeout=0,
        update_title="",
        suppress_callback_exceptions=True,
        serve_locally=True,
        compress=True,
        assets_ignore=EACH,
    )
    serve_scripts(dash, adapter)
    serve_stylesheets(dash)
    dash.layout = partial(_layout, source)
    register_shell_callbacks(dash)
    register_filter_callbacks(dash, source_names=source.source_names, choices=source.choices, clock_ms=now_ms)
    register_compare_callback(dash)
    register_saved_views_callbacks(dash)
    register_router(dash, source, views)
    register_event_callbacks(dash, queries)
    register_leads(dash, queries, adapter)
    token = settings.token.get_secret_value() if settings.token else None
    register_alerting(dash, alert_tables, queries, adapter, alerts, delivery, on_change=views.changed, token=token)
    lend_libraries(dash, sorted({library for page in PAGES for library in page.libraries}))
    server: Flask = dash.server
    server.config["MAX_CONTENT_LENGTH"] = MAX_CALLBACK_BYTES  # ingest has its own limit
    server.wsgi_app = KeptFiles(server.wsgi_app, ("/_dash-component-suites/", "/assets/"))  # type: ignore[method-assign]
    names = names_allowed(settings.host, settings.allowed_hosts, settings.allowed_origins)
    guard_hosts(server, names, hub.refused)
    nightly = Nightly(
        engine,
        settings.retention_days,
        minute_days=settings.minute_retention_days,
        hour_days=settings.hour_retention_days,
        rollups=rollups,
        jobs=jobs,
        after=lambda: [memory.follow_retention(engine) for memory in (recent, runs)],
    )
    board = Scrapeboard(
        dash,
        server,
        store,
        hub,
        channel,
        views,
        dash_channel,
        queries,
        reader,
        collectors,
        LostRuns(engine, store),
        rollups,
        jobs,
        follower,
        nightly,
        alerts,
        delivery,
        drawing,
        Pulse(),
        Pulse(),
        backplane,
        source.troubles,
        VitalSigns(hub, channel, views, store.health),
        engine,
    )
    queries.tell_vitals(board.vitals.read)

    serve_metrics_socket(server, MetricsSocket(channel, board.stats), allowed_origins=settings.allowed_origins)
    server.register_blueprint(
        ingest_blueprint(
            store,
            token=token,
            max_bytes=settings.ingest_max_bytes,
            collectors=collectors,
            allowed_origins=settings.allowed_origins,
        )
    )
    server.register_blueprint(
        health_blueprint(store, board.stats, collector.get_metrics_stats, board, queries.collectors, delivery.stats)
    )
    server.register_blueprint(realtime_blueprint(channel))
    server.register_blueprint(alerts_blueprint(queries))
    server.register_blueprint(
        prometheus_blueprint(
            BoardCollector(store.health, board.stats, collector.get_metrics_stats, queries, delivery.stats)
        )
    )
    server.register_blueprint(
        export_blueprint(
            source.exporters(),
            adapter,
            draw=drawing.export_chart,
            reports=source.reports(),
            report=source.report,
            print_report=drawing.report_pdf,
            threads=settings.threads,
        )
    )
    tell_in_json(server)
    _set_pulse(board, renderers, source.freshness)
    return board


def _layout(source: PageSource) -> html.Div:
    """Build the frame as this browser's theme wants it, with the page that it shows first."""
    theme = theme_of(request.cookies if has_request_context() else {})
    return html.Div([shell(theme, first_page(partial(showing, source), source.source_names)), *router_parts()])


def _set_pulse(board: Scrapeboard, renderers: Renderers, freshness: Freshness) -> None:
    beats = 0
    before = (True, True)

    def heartbeat() -> None:
        """Restart the pill's animation in every page that follows a view."""
        nonlocal beats
        beats += 1
        quiet_since_ms = freshness.since_ms
        parts = [frames.set_props(ids.LIVE_PILL, beat_props(beats, quiet_since_ms))]
        if quiet_since_ms is not None:
            parts.append(frames.set_props(ids.LIVE_STALE, stale_props(quiet_since_ms)))
        renderers.send(board.views.renderers(), frames.join_messages(parts))

    def check_database() -> None:
        """Notice that the database went or came back, and let the pages say so."""
        nonlocal before
        health = board.store.ping()
        if before != (health.reachable, health.storing):
            before = health.reachable, health.storing
            trouble = "stores nothing (%s)" if health.reachable else "can't be reached (%s)"
            said = "is back" if health.storing else f"{trouble % health.last_error}: new metrics wait"
            log.warning("the database %s", said)
            board.views.changed()

    board.pulse.every(HEARTBEAT_S, heartbeat)
    board.housekeeping.every(INTERVAL_S, OwnCollector(board.collectors, collector.get_metrics_stats).report)
    board.housekeeping.every(LOST_RUNS_CHECK_S, board.lost_runs.check)
    board.housekeeping.every(DATABASE_CHECK_S, check_database)
    board.housekeeping.every(HEARTBEAT_S, freshness.check)
    board.pulse.every(LEASE_CHECK_S, board.dash_channel.expire)
    board.pulse.every(RATES_S, board.vitals.sample)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command of the command line; returns its exit code."""
    from web.commands import main as run_command  # who imports the wiring needs no command line

    return run_command(create_app, arguments)


if __name__ == "__main__":
    sys.exit(main())
