"""Notification channels in the tab: what is secret goes in and never comes out, and a test says how it went."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import plotly.utils
import pytest

from alerts.channels import Channel, shown
from alerts.errors import BadSetting
from alerts.texts import Texts
from components.alert_channel_form import channel_document, channel_form
from db.alert_rows import DeliveryRow
from tests.web.test_alert_actions import Tab
from web.alert_channels import ChannelDesk

HOOK: dict[str, Any] = {
    "name": "Ops hook", "id": "", "kind": "webhook", "enabled": "yes", "url": "http://127.0.0.1:9/secret-path",
    "key": "", "min_severity": "warning", "only": "source=shop-*, severity=critical", "per_minute": "20", "burst": "5",
    "title": "", "body": "",
}  # fmt: skip


@pytest.fixture
def tab(tmp_path: Path) -> Any:
    made = Tab(tmp_path)
    yield made
    made.engine.dispose()


def desk_of(tab: Tab) -> ChannelDesk:
    return ChannelDesk(tab.tables, Texts())


def test_a_webhook_gets_a_key_that_is_told_once_and_kept(tab: Tab) -> None:
    channel, made = desk_of(tab).save(HOOK, by="Ada", new=True)
    assert channel.id == "ops-hook"
    assert channel.only == ("source=shop-*", "severity=critical")
    assert made.startswith("whsec_")
    found = desk_of(tab).channel("ops-hook")
    assert found is not None
    assert (found[1].url, found[1].key) == (HOOK["url"], made)
    _, again = desk_of(tab).save({**HOOK, "id": "ops-hook", "url": "", "name": "Renamed"}, by="Ada", new=False)
    kept = desk_of(tab).channel("ops-hook")
    assert again == ""
    assert kept is not None
    assert (kept[0].name, kept[1].url, kept[1].key) == ("Renamed", HOOK["url"], made)


def test_nothing_secret_comes_out_in_the_form(tab: Tab) -> None:
    desk_of(tab).save({**HOOK, "key": "0123456789abcdef0123"}, by="Ada", new=True)
    found = desk_of(tab).channel("ops-hook")
    assert found is not None
    built = channel_form(found[0], address=shown(found[1]))
    form = json.dumps(built, cls=plotly.utils.PlotlyJSONEncoder, ensure_ascii=False)
    assert "http://…" in form
    assert "secret-path" not in form
    assert "0123456789abcdef" not in form


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"url": "gopher://x", "key": "short"}, {"url", "key"}),
        ({"url": ""}, {"url"}),
        ({"body": "{nonsense}"}, {"body"}),
        ({"name": ""}, {"name", "id"}),
        ({"only": "shop"}, {"only"}),
        ({"per_minute": "0"}, {"per_minute"}),
        ({"kind": "apprise", "url": "nonsense"}, {"url"}),
    ],
)
def test_a_mistake_stands_at_its_field_and_repeats_no_secret(tab: Tab, changes: Any, fields: set[str]) -> None:
    with pytest.raises(BadSetting) as caught:
        desk_of(tab).save(HOOK | changes, by="Ada", new=True)
    assert {fault.field.split(".")[0] for fault in caught.value.faults} == fields
    assert "secret-path" not in str(caught.value)


def test_an_id_that_is_taken_is_not_taken_again(tab: Tab) -> None:
    desk_of(tab).save(HOOK, by="Ada", new=True)
    with pytest.raises(BadSetting, match="taken"):
        desk_of(tab).save(HOOK, by="Bob", new=True)


def test_a_test_says_how_it_went_without_the_address(tab: Tab) -> None:
    desk_of(tab).save(HOOK, by="Ada", new=True)
    said = desk_of(tab).test("ops-hook")
    assert said.startswith("✕ The test didn’t arrive at http://…: ")
    assert "secret-path" not in said
    tab.tables.settings.put("channels", "bare", {"name": "Bare"}, by="Ada")
    assert desk_of(tab).test("bare") == "✕ Bare has no address: edit it first."
    assert desk_of(tab).delete("bare") == "Deleted: bare."
    assert desk_of(tab).test("bare") == "There is no such channel any more."


def test_a_dead_letter_is_sent_again(tab: Tab) -> None:
    tab.tables.outbox.add((DeliveryRow(1, "ops", "silent", "g", "firing", {}, "dead"),))
    (dead,) = tab.queries.alert_deliveries(("dead",))
    assert desk_of(tab).retry(str(dead.id)) == "It is being sent again."
    assert tab.queries.alert_deliveries(("dead",)) == ()
    assert desk_of(tab).retry("1; drop table") == "There is no such notification."


def test_the_form_of_a_channel_says_that_channel() -> None:
    channel = Channel(id="a", name="A", enabled=False, only=("source=x",), min_severity="critical", burst=7)
    values = {
        component.id["field"]: component.value
        for component in channel_form(channel)._traverse()
        if isinstance(getattr(component, "id", None), dict) and "field" in component.id
    }
    assert Channel.model_validate(channel_document(values)[0]) == channel
