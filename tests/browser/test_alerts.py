"""An alert that fires is counted beside the tab wherever somebody is, stands on the tab, and can be acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collector.client import Collector
from components import ids
from tests.browser.conftest import App
from tests.browser.seeing import errors, see

AppOn = Callable[..., App]
Scraper = Callable[[str], Collector]

PILL = "#live-pill"


def test_an_alert_fires_is_counted_on_every_tab_and_acknowledged(dash_br: Any, app_on: AppOn, scraper: Scraper) -> None:
    app = app_on()
    dash_br.server_url = f"{app.url}/scheduler"
    see(dash_br, PILL, "Live")
    collector = scraper(app.url)
    collector.record_scheduler_metric("zebra-nightly", execution_duration_ms=40, success=False, error="boom")
    assert collector.flush(timeout_s=90)
    see(dash_br, f"#{ids.ALERT_BADGE}", "1")
    dash_br.find_element("#nav-alerts").click()
    see(dash_br, "#alerts-firing", "zebra-nightly")
    dash_br.find_element("#alerts-firing .alert-buttons button").click()
    see(dash_br, "#alerts-firing", "acknowledged by somebody")
    assert errors(dash_br) == []
