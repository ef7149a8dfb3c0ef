"""The app as an operator runs it: scrapers fail, a webhook and a mailbox are told, and nothing secret is said."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from alerts.channels import Channel, ChannelSecret, new_key
from alerts.defaults import DEFAULT_RULES
from collector.sinks import HttpSink
from db.alert_settings import AlertSettings
from db.clock import now_ms
from db.engine import make_engine
from db.migrate import upgrade
from tests.alerts.receivers import MailReceiver, WebhookReceiver
from tests.alerts.simulator import pages
from tests.apps import PrivateApp
from tests.db.samples import batch

RULE = {"id": "low", "name": "Low", "what": "success_rate", "threshold": 50, "window": "1m", "min_samples": 5}


@pytest.mark.timeout(300)
def test_who_is_to_know_is_told_by_webhook_and_by_mail(tmp_path: Path) -> None:
    url, key = f"sqlite:///{tmp_path / 'board.db'}", new_key()
    engine = make_engine(url=url)
    upgrade(engine)
    settings = AlertSettings(engine)
    settings.put_all("rules", {rule.id: {**rule.document(), "enabled": False} for rule in DEFAULT_RULES}, by="test")
    settings.put("rules", "low", RULE, by="test")
    with WebhookReceiver(500) as hook, MailReceiver() as mail:
        for channel, address in (
            (Channel(id="hook", name="Hook", kind="webhook"), f"{hook.url}/t0ps3cret"),
            (Channel(id="mail", name="Mail", only=("source=shop",)), mail.url),
        ):
            secret = ChannelSecret(address, key).text()
            settings.put("channels", channel.id, channel.document(), by="test", secret=secret)
        app = PrivateApp(url, start_timeout_s=120, PUBLIC_URL="https://board.example.org/", LOG_LEVEL="debug")
        with app:
            sink = HttpSink(app.url)
            for source in ("shop", "news"):
                failing = pages(source, now_ms(), 10, failing=1, url=f"https://{source}.example", error=source)
                sink.send(batch(*failing))
            sink.close()
            last = hook.wait(3)[-1].document  # one of the two was refused at first, and came again
            assert last["notifications"][0]["link"].startswith("https://board.example.org/scrapers/")
            subjects = {str(one["Subject"]) for one in mail.wait(1)}
            deliveries = app.get("/api/stats")["deliveries"]
            assert {"hook", "mail"} <= set(deliveries["channels"])
            with urllib.request.urlopen(f"{app.url}/metrics", timeout=60) as answer:
                exposed = answer.read().decode()
            said = app.log()
    engine.dispose()
    assert subjects == {"WARNING · Low: shop"}
    assert 'scrapeboard_alert_notifications_total{channel="hook",result="failed"}' in exposed
    for text in (exposed, said, str(deliveries)):
        assert "t0ps3cret" not in text
        assert key not in text
