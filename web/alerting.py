"""Alerts, wired: who evaluates the rules, who sends what is to be told, and what people do on the tab."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from dash import Dash

from alerts.delivery.service import DeliveryService
from alerts.measure import Measurer
from alerts.past import Past
from alerts.service import AlertService
from alerts.texts import Texts
from api.schedules import schedules_blueprint
from charts.base import ChartAdapter
from db.alert_tables import AlertTables
from db.queries import Queries
from web.alert_actions import register_alert_actions
from web.alert_channels import register_alert_channels
from web.alert_editor import register_alert_editor
from web.alert_links import alert_link
from web.alert_schedules import register_alert_schedules


def make_alerting(
    tables: AlertTables, queries: Queries, *, on_change: Callable[[], object], public_url: str | None
) -> tuple[AlertService, DeliveryService]:
    """Make both services; they run in the same process, because who evaluates is who sends.

    Args:
        tables: Where alerts are kept.
        queries: Who is asked.
        on_change: Called after alerts or settings changed.
        public_url: Where people open the app, for links; None for none.
    """
    queries.read_alerts_from(tables)

    def changed() -> None:
        queries.alerts_changed()
        on_change()

    # Each asks the other one, but only when both run.
    alerts = AlertService(
        tables,
        queries,
        Measurer(queries, Past(queries)).measure,
        on_change=changed,
        on_deliveries=lambda: delivery.wake(),
    )
    delivery = DeliveryService(tables, leads=lambda: alerts.leads, texts=Texts(partial(alert_link, public_url)))
    return alerts, delivery


def register_alerting(
    dash: Dash,
    tables: AlertTables,
    queries: Queries,
    adapter: ChartAdapter,
    alerts: AlertService,
    delivery: DeliveryService,
    *,
    on_change: Callable[[], object],
    token: str | None = None,
) -> None:
    """Register what people do on the Alerts tab, and the routes by which programs declare schedules.

    Args:
        dash: The app.
        tables: Where what they decide is written.
        queries: Who knows alerts and metrics.
        adapter: Who draws.
        alerts: Evaluates at once what was changed.
        delivery: Whose words a test of a channel has.
        on_change: Called after each write: pages look different now.
        token: What programs need to write, None for nothing.
    """

    def changed() -> None:
        queries.alerts_changed()
        on_change()
        alerts.wake()

    register_alert_actions(dash, queries, tables, changed=changed)
    register_alert_editor(dash, queries, adapter, tables, changed=changed)
    dash.server.register_blueprint(schedules_blueprint(tables, token=token, changed=changed))
    register_alert_schedules(dash, queries, tables, changed=changed)
    register_alert_channels(dash, tables, delivery.texts, changed=changed)
