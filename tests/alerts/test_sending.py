"""Messages on their real way: to a web server and to a mail server on this machine, well and with every failure."""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from alerts.apprise_services import service_of
from alerts.channels import Channel, ChannelSecret, new_key
from alerts.delivery import by_apprise, webhook
from alerts.delivery.attempt import Attempt, Hanging, bounded
from alerts.delivery.parcel import Parcel, Told
from alerts.delivery.sending import send, try_channel
from alerts.texts import Texts
from tests.alerts.receivers import MailReceiver, WebhookReceiver
from tests.alerts.samples import AT_MS, entry, notice

HOOK = Channel(id="hook", name="Hook", kind="webhook")
MAIL = Channel(id="mail", name="Mail")
KEY = new_key()
PATH = "/t0ps3cret/hook?token=v3rysecret"
TEXTS = Texts(lambda _notice: "https://board.example.org/alerts")


def parcel(channel: Channel, *notices: object) -> Parcel:
    told = tuple(Told(f"id-{number}", one) for number, one in enumerate(notices or (notice(),)))  # type: ignore[arg-type]
    return Parcel(channel, told)


@pytest.fixture(autouse=True)
def nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    for secret in ("t0ps3cret", "v3rysecret", KEY, KEY.removeprefix("whsec_"), "p4ssword"):
        assert secret not in caplog.text


# The webhook ---------------------------------------------------------------------------------------------------------


def test_a_webhook_gets_json_with_a_signature_that_another_library_verifies() -> None:
    with WebhookReceiver() as receiver:
        attempt = send(parcel(HOOK), ChannelSecret(receiver.url + PATH, KEY), TEXTS)
    assert attempt.delivered
    got = receiver.requests[0]
    assert got.path == PATH
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    version, _, given = got.headers["webhook-signature"].partition(",")
    judge = HMAC(base64.b64decode(KEY.removeprefix("whsec_")), SHA256())
    judge.update(signed)
    judge.verify(base64.b64decode(given))  # raises when it isn't
    assert version == "v1"
    assert got.headers["webhook-id"] == "id-0"
    assert got.headers["Content-Type"] == "application/json"


def test_the_public_form_of_a_notification_stays_as_it_is() -> None:
    with WebhookReceiver() as receiver:
        told = notice(entry(message="m"), labels={"team": "shops"}, description="Do.")
        send(parcel(HOOK, told), ChannelSecret(receiver.url, KEY), TEXTS)
    document = receiver.requests[0].document
    assert document.pop("sentAt") > AT_MS - 10**12
    assert document.pop("text").startswith("shop-1: m, since 09:52 UTC")
    assert document == {
        "version": 1,
        "id": "id-0",
        "attempt": 1,
        "channel": {"id": "hook", "name": "Hook"},
        "title": "CRITICAL · Low success rate: shop-1",
        "notifications": [
            {
                "id": "id-0", "what": "firing", "at": AT_MS, "since": AT_MS - 480_000, "severity": "critical",
                "rule": {
                    "id": "low", "name": "Low success rate", "description": "Do.", "measure": "success_rate",
                        "field": "",
                    "unit": "%", "by": "source",
                },
                "group": "g1", "reasons": {"domain": "shop.example"}, "labels": {"team": "shops"},
                "firingCount": 1,
                "firing": [
                    {
                        "key": "shop-1", "value": 42.125, "threshold": 90.0, "firedAt": AT_MS - 480_000,
                        "resolvedAt": None, "new": True, "message": "m", "because": "",
                    }
                ],
                "resolvedCount": 0, "resolved": [], "link": "https://board.example.org/alerts",
            }
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (500, Attempt(False, "answered 500")),
        (404, Attempt(False, "answered 404", permanent=True)),
        (408, Attempt(False, "answered 408")),
        ((429, {"Retry-After": "7"}), Attempt(False, "answered 429", retry_after_s=7.0)),
        ((503, {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}), Attempt(False, "answered 503", retry_after_s=0.0)),
        ((503, {"Retry-After": "soon"}), Attempt(False, "answered 503")),
        (
            (302, {"Location": "http://169.254.169.254/"}),
            Attempt(False, "answered 302, a redirect: those aren't followed", permanent=True),
        ),
        ("slow", Attempt(True)),  # what it has to say isn't read
    ],
)
def test_a_webhooks_answer_decides_whether_it_is_tried_again(step: object, expected: Attempt) -> None:
    with WebhookReceiver(step) as receiver:
        attempt = webhook.send_webhook(parcel(HOOK), ChannelSecret(receiver.url + PATH, KEY), TEXTS)
    assert attempt == expected
    assert len(receiver.requests) == 1


def test_a_webhook_without_an_answer_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "READ_TIMEOUT_S", 0.2)
    with WebhookReceiver("hang") as receiver:
        attempt = webhook.send_webhook(parcel(HOOK), ChannelSecret(receiver.url + PATH, KEY), TEXTS)
        assert attempt == Attempt(False, "no answer within 0.2 s")


def test_an_attempt_that_hangs_is_left_alone_and_tells_late_that_it_arrived() -> None:
    with WebhookReceiver("hang", 204) as receiver:
        hanging, late = Hanging(), threading.Event()
        release = threading.Event()

        def slow() -> Attempt:
            release.wait(60)
            return webhook.send_webhook(parcel(HOOK), ChannelSecret(receiver.url, KEY), TEXTS)

        receiver.script.clear()
        attempt = bounded(slow, deadline_s=0.05, hanging=hanging, late=lambda one: late.set() if one.delivered else 0)
        assert (attempt.delivered, attempt.error) == (False, "took longer than 0.05 s")
        assert hanging.number == 1
        release.set()
        assert late.wait(60)
        assert hanging.number == 0


def test_a_library_that_raises_is_an_attempt_that_failed_and_says_nothing_secret() -> None:
    def broken() -> Attempt:
        raise RuntimeError(f"could not post to https://x/{PATH}")

    attempt = bounded(broken)
    assert (attempt.delivered, attempt.permanent) == (False, False)
    assert attempt.error == "failed unexpectedly (RuntimeError)"


def test_a_certificate_that_nobody_trusts_and_a_closed_port_are_told_in_the_systems_words(tmp_path: Path) -> None:
    with WebhookReceiver(tls=tmp_path) as receiver:
        attempt = send(parcel(HOOK), ChannelSecret(receiver.url + PATH, KEY), TEXTS)
    assert (attempt.delivered, attempt.permanent) == (False, False)
    assert attempt.error == "its certificate isn't trusted: self-signed certificate"
    assert not receiver.requests
    attempt = send(parcel(HOOK), ChannelSecret(receiver.url + PATH, KEY), TEXTS)
    assert attempt.error == "no connection: Connection refused"
    plain = WebhookReceiver()
    with plain:
        attempt = send(parcel(HOOK), ChannelSecret(plain.url.replace("http:", "https:") + PATH, KEY), TEXTS)
    assert attempt.error.startswith("TLS failed")


def test_what_can_never_be_sent_is_given_up_at_once() -> None:
    assert send(parcel(HOOK), ChannelSecret(), TEXTS) == Attempt(False, "the channel has no address", permanent=True)
    for channel, url in ((HOOK, "gopher://x"), (MAIL, "nothing://x")):
        attempt = send(parcel(channel), ChannelSecret(url, KEY), TEXTS)
        assert attempt.permanent


def test_an_address_with_a_password_authorizes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login nobody password nothing")
    monkeypatch.setenv("NETRC", str(netrc))
    with WebhookReceiver() as receiver:
        with_password = receiver.url.replace("http://", "http://ana:p4ssword%21@")
        assert send(parcel(HOOK), ChannelSecret(with_password, KEY), TEXTS).delivered
        assert send(parcel(HOOK), ChannelSecret(receiver.url, KEY), TEXTS).delivered
    first, second = receiver.requests
    assert base64.b64decode(first.headers["Authorization"].removeprefix("Basic ")) == b"ana:p4ssword!"
    assert "Authorization" not in second.headers


# By apprise ----------------------------------------------------------------------------------------------------------


def test_a_mail_has_the_title_the_text_and_an_id() -> None:
    with MailReceiver() as receiver:
        attempt = send(parcel(MAIL), ChannelSecret(receiver.url), TEXTS)
    assert attempt.delivered, attempt.error
    (mail,) = receiver.mails
    assert mail["Subject"] == "CRITICAL · Low success rate: shop-1"
    assert mail["X-Scrapeboard-Id"] == "id-0"
    assert mail["References"] == "<g1@scrapeboard.invalid>"  # firing and resolved in one thread
    assert mail["In-Reply-To"] == mail["References"]
    assert len(mail.get_all("Message-ID")) == 1
    assert mail["From"] == "Board <board@example.org>"
    assert mail.get_content().splitlines() == [
        "shop-1: success rate 42.1 % (threshold 90 %), since 09:52 UTC (8 min)",
        "Mostly: domain shop.example",
        "https://board.example.org/alerts",
    ]


def test_a_mail_server_that_refuses_for_good_isnt_asked_again_and_one_that_is_busy_is() -> None:
    with MailReceiver("550 no such user night@example.org", "451 later") as receiver:
        refused = by_apprise.send_by_apprise(parcel(MAIL), ChannelSecret(receiver.url), TEXTS)
        busy = by_apprise.send_by_apprise(parcel(MAIL), ChannelSecret(receiver.url), TEXTS)
    assert refused.permanent
    assert "550" in refused.error
    assert "night@example.org" not in refused.error
    assert (busy.delivered, busy.permanent) == (False, False)
    assert "451" in busy.error
    gone = by_apprise.send_by_apprise(parcel(MAIL), ChannelSecret(receiver.url), TEXTS)
    assert "Connection refused" in gone.error
    assert not gone.permanent


def test_a_service_of_apprise_that_says_no_is_judged_by_its_status() -> None:
    with WebhookReceiver(403, 503, (302, {"Location": "http://127.0.0.1:1/"})) as receiver:
        url = receiver.url.replace("http://", "json://ana:p4ssword@") + "/t0ps3cret/v3rysecret"
        forbidden, down, elsewhere = (
            by_apprise.send_by_apprise(parcel(MAIL), ChannelSecret(url), TEXTS) for _ in range(3)
        )
        assert len(receiver.requests) == 3
        assert by_apprise.send_by_apprise(parcel(MAIL), ChannelSecret(url), TEXTS).delivered
    assert (forbidden.permanent, down.permanent) == (True, False)
    assert not elsewhere.delivered
    for attempt in (forbidden, down, elsewhere):
        assert attempt.error
        for piece in ("p4ssword", "t0ps3cret", "v3rysecret"):
            assert piece not in attempt.error
    assert receiver.requests[0].headers["X-Scrapeboard-Id"] == "id-0"
    assert orjson.loads(receiver.requests[0].body)["title"] == "CRITICAL · Low success rate: shop-1"


def test_a_service_that_takes_little_gets_fewer_names_instead_of_half_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    firing = tuple(entry(f"shop-with-a-long-name-{number:04}") for number in range(32))
    with WebhookReceiver() as receiver:
        url = receiver.url.replace("http://", "json://")
        monkeypatch.setattr(type(service_of(url)), "body_maxlen", 800)
        assert by_apprise.send_by_apprise(parcel(MAIL, notice(*firing)), ChannelSecret(url), TEXTS).delivered
    text = receiver.requests[0].document["message"]
    assert "and 27 more" in text
    assert text.endswith("https://board.example.org/alerts")


def test_a_test_goes_through_a_channel_that_is_switched_off() -> None:
    with MailReceiver() as receiver:
        channel = Channel(id="mail", name="Mail", enabled=False, title="{title}!")
        assert try_channel(channel, ChannelSecret(receiver.url), texts=TEXTS, at_ms=AT_MS).delivered
    assert receiver.mails[0]["Subject"] == "TEST: a notification of Scrapeboard!"
    assert receiver.mails[0]["X-Scrapeboard-Id"] == f"test-mail-{AT_MS}"
