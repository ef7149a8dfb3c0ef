"""SIGTERM, as operators send it: whoever looks is told, what was acknowledged is everywhere, and the end comes soon."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import websocket
from sqlalchemy import text as sql

from collector.errors import SinkError
from collector.sinks import HttpSink
from db.engine import make_engine
from tests.apps import PrivateApp
from tests.live.framing import TEXT, Peer, frame
from tests.web.test_two_apps import make_batch, wait_until

VIEWERS = 5
SENDERS = 2


class Viewer(threading.Thread):
    """A client that hears all that it can, until it is told why there is no more."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.ws = websocket.create_connection(url, timeout=60)
        self.urls: list[str] = []
        self.gaps = 0
        self.close_code: int | None = None
        self.ws.send(json.dumps({"type": "subscribe", "scraperSource": "*"}))
        while json.loads(self.ws.recv())["type"] != "subscribed":
            pass
        self.start()

    def run(self) -> None:
        while True:
            opcode, data = self.ws.recv_data(control_frame=True)
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                self.close_code = int.from_bytes(data[:2], "big")
                self.ws.shutdown()
                return
            if opcode == websocket.ABNF.OPCODE_TEXT:
                message = json.loads(data)
                self.gaps += message["type"] == "gap"
                self.urls += [one.get("url", one.get("schedulerName")) for one in message.get("metrics", ())]


class Sender(threading.Thread):
    """A scraper that reports until nobody takes it any more."""

    def __init__(self, app: PrivateApp, name: str) -> None:
        super().__init__(daemon=True)
        self.sink, self.label = HttpSink(app.url), name
        self.acknowledged: set[str] = set()
        self.start()

    def run(self) -> None:
        number = 0
        while True:
            batch = make_batch(self.label, number)
            try:
                self.sink.send(batch)
            except SinkError:
                self.sink.close()
                return
            self.acknowledged |= {f"https://x.test/{batch.batch_id}-{n}" for n in range(4)}
            number += 1
            time.sleep(
                0.05
            )  # slow enough for the kernel to hold what viewers are late with on a machine that has more to do


@pytest.fixture
def app(tmp_path: Path) -> Iterator[PrivateApp]:
    with PrivateApp(f"sqlite:///{tmp_path / 'metrics.db'}") as app:
        yield app


@pytest.fixture
def nuisances(app: PrivateApp) -> Iterator[list[object]]:
    """What keeps a process from ending: requests that don't come to an end, and somebody who never reads."""
    upload, head, export = (socket.create_connection(("127.0.0.1", app.port)) for _ in range(3))
    upload.sendall(b"POST /api/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{")
    head.sendall(b"GET /api/he")
    export.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    export.sendall(b"GET /api/export/overview-events.csv?from=now-1h HTTP/1.1\r\nHost: x\r\n\r\n")
    deaf = Peer(app.port)
    deaf.send(frame(TEXT, b'{"type":"subscribe","scraperSource":"*"}'))
    yield [upload, head, export, deaf]
    for one in (upload, head, export):
        one.close()
    deaf.__exit__()


def test_at_sigterm_everybody_is_told_and_what_was_acknowledged_is_stored_and_was_shown(
    app: PrivateApp, nuisances: list[object]
) -> None:
    viewers = [Viewer(app.url.replace("http", "ws") + "/ws/metrics") for _ in range(VIEWERS)]
    senders = [Sender(app, f"sender{n}") for n in range(SENDERS)]
    wait_until(lambda: all(len(viewer.urls) > 100 for viewer in viewers), "the viewers don't hear enough")
    assert app._process is not None
    process: subprocess.Popen[bytes] = app._process
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    for thread in (*viewers, *senders):
        thread.join(90)
        assert not thread.is_alive()
    assert [viewer.close_code for viewer in viewers] == [1001] * VIEWERS
    acknowledged = set().union(*(sender.acknowledged for sender in senders))
    engine = make_engine(url=app.settings["DATABASE_URL"])
    with engine.connect() as connection:
        stored = set(connection.execute(sql("SELECT page_url FROM scraper_page_performance")).scalars())
        stored |= set(connection.execute(sql("SELECT scheduler_name FROM scheduler_metrics")).scalars())
    engine.dispose()
    assert acknowledged <= stored
    for viewer in viewers:
        assert acknowledged <= set(viewer.urls)
        assert len(viewer.urls) == len(set(viewer.urls))
        assert viewer.gaps == 0
    assert "Traceback" not in app.log()
