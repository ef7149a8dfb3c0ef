"""Channels: what they take, which notifications they want, and what is never shown of them."""

from __future__ import annotations

import pytest

from alerts.channels import (
    Channel,
    ChannelSecret,
    channel_of,
    checked_secret,
    key_bytes,
    lenient_channel,
    new_key,
    secret_of,
    shown,
)
from alerts.delivery.redact import redacted
from alerts.errors import BadSetting
from tests.alerts.samples import AT_MS, entry, notice


def test_a_channel_reads_what_it_wrote() -> None:
    channel = Channel(id="ops", name="Ops", kind="webhook", min_severity="warning", only=("source=shop-*",), burst=3)
    assert channel_of(channel.document()) == channel
    assert Channel(id="ops", name="Ops").document()["enabled"] is True


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"title": "{nobody}"}, "title"),
        ({"body": "{title"}, "body"),
        ({"body": "{title.__class__}"}, "body"),
        ({"body": "{title!r}"}, "body"),
        ({"per_minute": float("nan")}, "per_minute"),
        ({"per_minute": 0}, "per_minute"),
        ({"only": ["no matcher"]}, "only"),
        ({"id": "Not good"}, "id"),
        ({"url": "slack://x"}, "url"),
    ],
)
def test_a_channel_that_makes_no_sense_is_told_by_its_field(given: dict[str, object], field: str) -> None:
    with pytest.raises(BadSetting) as caught:
        channel_of({"id": "ops", "name": "Ops", **given})
    assert [fault.field for fault in caught.value.faults] == [field]


def test_a_channel_that_another_version_wrote_sends_what_it_can() -> None:
    channel, problem = lenient_channel("ops", {"name": "Ops", "kind": "webhook", "body": "{gone}", "colour": "red"})
    assert (channel.name, channel.kind, channel.body) == ("Ops", "webhook", "")
    assert "body" in problem
    assert lenient_channel("ops", {"name": "Ops"}) == (Channel(id="ops", name="Ops"), "")
    channel, problem = lenient_channel("NO ID", {"name": ["x"]})
    assert channel.id == "NO ID"
    assert problem


def test_what_is_less_bad_than_a_channel_wants_isnt_told_there() -> None:
    channel = Channel(id="ops", name="Ops", min_severity="critical")
    assert channel.wanted(notice(severity="warning")) is None
    assert channel.wanted(notice(severity="critical")) is not None
    assert channel.wanted(notice(what="test", severity="info")) is not None


def test_only_the_alerts_that_a_channel_wants_are_told_there() -> None:
    channel = Channel(id="ops", name="Ops", only=("source=shop-*",))
    both = notice(entry("shop-1", fired_ms=AT_MS - 5_000), entry("news", fired_ms=AT_MS - 9_000))
    told = channel.wanted(both)
    assert told is not None
    assert [one.key for one in told.firing] == ["shop-1"]
    assert (told.firing_count, told.since_ms) == (1, AT_MS - 5_000)
    assert channel.wanted(notice(entry("news"))) is None
    # The only new one isn't for this channel: there is no news.
    assert channel.wanted(notice(entry("shop-1", new=False), entry("news"))) is None
    over = notice(what="resolved", resolved=(entry("shop-1", resolved_ms=AT_MS), entry("news", resolved_ms=AT_MS)))
    told = channel.wanted(over)
    assert told is not None
    assert (told.what, told.resolved_count) == ("resolved", 1)
    mixed = channel.wanted(notice(entry("news"), resolved=(entry("shop-2", resolved_ms=AT_MS),)))
    assert mixed is not None
    assert (mixed.what, mixed.firing_count) == ("resolved", 0)
    assert Channel(id="x", name="X", only=("domain=shop.example", "rule=low")).wanted(both) == both
    assert Channel(id="x", name="X", only=("team=shops",)).wanted(notice(labels={"team": "shops"})) is not None


def test_a_secret_is_neither_in_its_repr_nor_in_what_is_shown() -> None:
    secret = ChannelSecret("slack://TokenA/TokenB", "hush-hush-hush-hush")
    assert "Token" not in repr(secret)
    assert "hush" not in repr(secret)
    assert shown(secret) == "slack://…"
    assert (shown(""), shown("no address"), secret_of("{")) == ("", "…", ChannelSecret())
    assert secret_of(secret.text()) == secret
    assert ChannelSecret().text() == ""


def test_an_address_that_cant_be_used_is_told_without_repeating_it() -> None:
    for kind, url, key, fields in (
        ("apprise", "nothing://tok3n", "", ["url"]),
        ("apprise", "mailto://", "", ["url"]),
        ("webhook", "ftp://tok3n.example", "k" * 16, ["url"]),
        ("webhook", "http://tok3n example", "k" * 16, ["url"]),
        ("webhook", "https://tok3n.example:99999999/", "k" * 16, ["url"]),
        ("webhook", "https://example.org/", "tok3n", ["key"]),
    ):
        with pytest.raises(BadSetting) as caught:
            checked_secret(kind, url, key)  # type: ignore[arg-type]
        assert [fault.field for fault in caught.value.faults] == fields
        assert "tok3n" not in str(caught.value)
    assert checked_secret("webhook", " https://example.org/x ", new_key()).url == "https://example.org/x"
    assert checked_secret("apprise", "json://example.org/", "left out") == ChannelSecret("json://example.org/")


def test_a_new_key_is_random_and_32_bytes_long() -> None:
    assert len(key_bytes(new_key())) == 32
    assert new_key() != new_key()
    assert key_bytes("plain words, long enough") == b"plain words, long enough"
    assert key_bytes("whsec_no base64!") == b"whsec_no base64!"


def test_what_libraries_say_is_stored_without_any_part_of_the_address() -> None:
    secret = ChannelSecret("mailto://ana:p%40ss word@mail.example:2525/in?to=x@y.example&token=s3cr3t", "whsec_abcdef")
    said = (
        "HTTPSConnectionPool(host='mail.example', port=2525): url: /in?to=x@y.example&token=s3cr3t, "
        "(535, b'5.7.8 p@ss word of ana not accepted'), see https://u:p@elsewhere.example/x\r\n ABCDEF p%40ss"
    )
    told = redacted(said, secret)
    for piece in ("mail.example", "s3cr3t", "p@ss", "p%40ss", "ana ", "y.example", "elsewhere", "ABCDEF", "\n"):
        assert piece not in told
    assert "535" in told
    assert len(redacted("x" * 5_000, secret)) == 300
