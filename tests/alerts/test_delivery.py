"""The whole way from the outbox to real receivers: through threads, failures, shutdowns, and processes that end."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy.engine import Engine

from alerts.channels import Channel, ChannelSecret, new_key
from alerts.delivery import pacing
from alerts.delivery.attempt import Attempt
from alerts.delivery.service import DeliveryService
from alerts.texts import Texts
from db.alert_tables import AlertTables
from db.clock import now_ms
from db.engine import make_engine
from db.migrate import upgrade
from tests.alerts.receivers import MailReceiver, WebhookReceiver
from tests.alerts.samples import notice, row

KEY = new_key()
PATH = "/t0ps3cret/hook"


class Board:
    """What an app has: the tables and the service."""

    def __init__(self, url: str) -> None:
        self.engine: Engine = make_engine(url=url)
        upgrade(self.engine)
        self.tables = AlertTables(self.engine)
        self.outbox, self.settings = self.tables.outbox, self.tables.settings
        self.leads = True
        self.service = self.new_service()

    def new_service(self, **changes: Any) -> DeliveryService:
        return DeliveryService(self.tables, leads=lambda: self.leads, texts=Texts(), **changes)

    def channel(self, channel: Channel, url: str, key: str = KEY) -> None:
        secret = ChannelSecret(url, key).text()
        self.settings.put("channels", channel.id, channel.document(), by="test", secret=secret)

    def add(self, channel: str, count: int = 1) -> None:
        told = [notice(group_key=f"g{number:03}", at_ms=now_ms()) for number in range(count)]
        self.outbox.add([row(channel, one) for one in told])
        self.service.wake()

    def wait(self, channel: str, state: str, count: int = 1) -> list[str]:
        """Return the errors of a channel's notifications when so many of them are in a state."""

        def found() -> list[Any]:
            return [row for row in self.outbox.newest((state,), 1_000) if row.channel_id == channel]  # type: ignore[arg-type]

        wait_until(lambda: len(found()) >= count)
        return [row.last_error or "" for row in found()]


def wait_until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 90
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    monkeypatch.setattr(pacing, "FIRST_WAIT_S", 0.1)
    made = Board(f"sqlite:///{tmp_path / 'metrics.db'}")
    yield made
    made.service.stop(10)
    made.engine.dispose()


def test_each_channel_gets_its_own_and_nobody_waits_for_one_that_is_down(
    board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "mail.log")  # of the mail server
    with WebhookReceiver(500, 404) as hook, WebhookReceiver("hang") as hangs, MailReceiver() as mail:
        board.channel(Channel(id="hook", name="Hook", kind="webhook"), hook.url + PATH)
        board.channel(Channel(id="hangs", name="Hangs", kind="webhook"), hangs.url + PATH)
        board.channel(Channel(id="mail", name="Mail"), mail.url.replace("?", "?user=ana&pass=p4ssword&"), "")
        board.channel(Channel(id="none", name="None"), "", "")
        board.service.start()
        board.add("hangs")
        hangs.wait(1)
        board.add("hook", 2)
        board.add("mail", 2)
        board.add("none")
        board.add("gone")
        # The first answer passes by itself, the second one never: that is one dead letter, whichever it was.
        board.wait("hook", "sent")
        assert board.wait("hook", "dead") == ["answered 404"]
        assert board.wait("none", "dead") == ["the channel has no address"]
        assert board.wait("gone", "dead") == ["the channel was deleted"]
        (waits,) = (one for one in board.outbox.newest(limit=100) if one.channel_id == "hangs")
        assert waits.state == "pending"  # all the time
        stats = board.service.stats()
        hangs.released.set()
    board.service.stop(30)
    numbers = stats["channels"]["hook"]
    assert (numbers["sent"], numbers["dead"], numbers["failed"], numbers["lastError"]) == (1, 1, 2, "")
    # The mail server takes no password, and says so: nothing of it is kept anywhere.
    kept = orjson.dumps([[row.last_error, row.document] for row in board.outbox.newest(limit=100)]).decode()
    for text in (kept, caplog.text, orjson.dumps(board.service.stats()).decode(), repr(board.settings.all("channels"))):
        for secret in ("t0ps3cret", "p4ssword", KEY, KEY.removeprefix("whsec_")):
            assert secret not in text


def test_what_isnt_sent_at_the_end_stays_and_is_sent_by_the_next_process(board: Board) -> None:
    with WebhookReceiver(*[503] * 3) as hook:
        board.channel(Channel(id="hook", name="Hook", kind="webhook", burst=1), hook.url)
        board.service.start()
        board.add("hook", 3)
        hook.wait(1)
        board.service.stop(30)
        asked = len(hook.requests)
        assert {row.state for row in board.outbox.newest()} <= {"pending", "failed"}
        hook.script.clear()
        board.service = board.new_service()
        board.service.start()
        board.wait("hook", "sent", 3)
        assert len(hook.requests) > asked


def test_a_stop_doesnt_wait_for_a_receiver_that_hangs(board: Board) -> None:
    with WebhookReceiver("hang") as hook:
        board.channel(Channel(id="hook", name="Hook", kind="webhook"), hook.url)
        board.service.start()
        board.add("hook")
        hook.wait(1)
        board.service.stop(0.2)
        assert [row.state for row in board.outbox.newest()] == ["pending"]
        hook.released.set()


def test_who_doesnt_evaluate_doesnt_send_until_it_does(board: Board) -> None:
    looked = threading.Event()
    board.leads = False
    board.service = board.new_service(send=lambda *_args, **_more: looked.set() or Attempt(True))
    board.channel(Channel(id="hook", name="Hook", kind="webhook"), "http://x")
    board.service.start()
    board.add("hook")
    assert board.service.stats()["sending"] is False
    assert not looked.is_set()
    board.leads = True
    board.service.wake()
    assert looked.wait(60)
    board.wait("hook", "sent")


def test_a_template_that_cant_be_read_costs_only_its_words(board: Board) -> None:
    with WebhookReceiver() as hook:
        board.channel(Channel(id="hook", name="Hook", kind="webhook"), hook.url)
        bad = {"id": "hook", "name": "Hook", "kind": "webhook", "title": "{oops"}
        board.settings.put("channels", "hook", bad, by="a hand")
        board.service.start()
        board.add("hook")
        (got,) = hook.wait(1)
        assert got.document["title"] == "CRITICAL · Low success rate: shop-1"
        assert "title" in board.service.problems["hook"]


@pytest.mark.timeout(300)
def test_after_the_sending_process_was_killed_another_one_sends_the_rest_and_nothing_is_lost(board: Board) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "tests.alerts.sender", board.engine.url.render_as_string(False)]
    with WebhookReceiver(200, 200, "hang") as hook:
        board.channel(Channel(id="hook", name="Hook", kind="webhook", burst=100, per_minute=600), hook.url)
        board.add("hook", 20)
        senders = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
        try:
            took_over: list[subprocess.Popen[bytes]] = []

            def listen(one: subprocess.Popen[bytes]) -> None:
                assert one.stdout is not None
                for _ in one.stdout:
                    took_over.append(one)

            listeners = [threading.Thread(target=listen, args=(one,), daemon=True) for one in senders]
            for listener in listeners:
                listener.start()
            hook.wait(3)  # two arrived, the third one is on its way
            wait_until(lambda: bool(took_over))
            first = took_over[-1]
            first.kill()
            first.wait(60)
            hook.released.set()
            board.wait("hook", "sent", 20)
        finally:
            for one in senders:
                one.kill()
                one.wait(60)
            for one, listener in zip(senders, listeners, strict=True):
                listener.join(60)
                assert one.stdout is not None
                one.stdout.close()
        ids = hook.told()
        assert len(set(ids)) == 20
        # What was on its way when the process ended comes again, under its id; nothing else does.
        repeated = {id for id in ids if ids.count(id) > 1}
        assert repeated == {hook.requests[2].document["id"]}
