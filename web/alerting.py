"""Alerts, wired: who evaluates the rules, and who sends what is to be told."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from alerts.delivery.service import DeliveryService
from alerts.measure import Measurer
from alerts.service import AlertService
from alerts.texts import Texts
from db.alert_tables import AlertTables
from db.queries import Queries
from web.alert_links import alert_link


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
    # Each asks the other one, but only when both run.
    alerts = AlertService(
        tables, queries, Measurer(queries).measure, on_change=on_change, on_deliveries=lambda: delivery.wake()
    )
    delivery = DeliveryService(tables, leads=lambda: alerts.leads, texts=Texts(partial(alert_link, public_url)))
    return alerts, delivery
