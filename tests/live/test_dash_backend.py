"""Dash's channel, spoken to as the browser's worker does."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import websocket
from dash import Dash, Input, Output, State, ctx, dcc, html, set_props
from dash.exceptions import PreventUpdate
from werkzeug.serving import make_server

from live import frames
from live.dash_backend import DashChannel, make_backend
from live.hub import Hub
from live.renderers import Renderers


@dataclass
class Board:
    """A little Dash app on the channel, and what it noticed."""

    port: int
    channel: DashChannel
    renderers: Renderers
    left: list[str] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    block: threading.Event = field(default_factory=threading.Event)
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def connect(self) -> Worker:
        return Worker(websocket.create_connection(f"ws://127.0.0.1:{self.port}/_dash-ws-callback", timeout=90))


@dataclass
class Worker:
    """Says what Dash's SharedWorker says."""

    ws: websocket.WebSocket
    renderer_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    requests: int = 0

    def say(self, message: Any) -> None:
        self.ws.send(message if isinstance(message, str) else json.dumps(message))

    def hear(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.ws.recv())
        return message

    def call(
        self, output: str, *, inputs: list[Any] | None = None, state: list[Any] | None = None, changed: str = ""
    ) -> None:
        self.requests += 1
        outputs = {"id": "out", "property": "children"} if output == "out.children" else None
        payload = {
            "output": output,
            "outputs": outputs,
            "inputs": inputs or [],
            "state": state or [],
            "changedPropIds": [changed] if changed else [],
        }
        self.say(
            {
                "type": "callback_request",
                "rendererId": self.renderer_id,
                "requestId": f"{self.renderer_id}-{self.requests}",
                "payload": payload,
            }
        )


@pytest.fixture
def board(hub: Hub) -> Iterator[Board]:
    renderers = Renderers(hub)
    made = Board(0, None, renderers)  # type: ignore[arg-type]  # filled in below

    def left(renderer_id: str) -> None:
        made.left.append(renderer_id)
        made.gone.set()

    channel = made.channel = DashChannel(
        hub, renderers, on_leave=left, on_missed=lambda _: None, workers=2, max_waiting=3
    )
    app = Dash("board", backend=make_backend(channel), websocket_inactivity_timeout=0)
    app.layout = html.Div([dcc.Store(id="in"), html.Div(id="out")])

    @app.callback(Output("out", "children"), Input("in", "data"), websocket=True)
    def work(data: Any) -> str:
        if data == "nothing":
            raise PreventUpdate
        if data == "fail":
            raise ValueError("no such number")
        if data == "wait":
            made.entered.release()
            made.block.wait(90)
        if data == "push":
            set_props("in", {"data": ctx.websocket.renderer_id})
        return f"got {data}"

    @app.callback(Output("in", "title"), State("out", "children"), Input("in", "modified_timestamp"))
    def http_only(_children: Any, _time: Any) -> str:
        return "secret"

    server = make_server("127.0.0.1", 0, app.server, threaded=True)
    made.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    made.block.set()
    channel.stop()
    server.shutdown()
    thread.join(90)
    server.server_close()


def given(data: Any) -> list[Any]:
    return [{"id": "in", "property": "data", "value": data}]


def test_a_callback_runs_and_its_answer_comes_back(board: Board) -> None:
    worker = board.connect()
    worker.call("out.children", inputs=given(7))
    answer = worker.hear()
    assert answer["type"] == "callback_response"
    assert answer["rendererId"] == worker.renderer_id
    assert answer["requestId"] == f"{worker.renderer_id}-1"
    assert answer["payload"]["status"] == "ok"
    assert answer["payload"]["data"]["response"] == {"out": {"children": "got 7"}}
    worker.ws.shutdown()


def test_a_heartbeat_is_acknowledged(board: Board) -> None:
    worker = board.connect()
    worker.say({"type": "heartbeat"})
    assert worker.hear() == {"type": "heartbeat_ack"}
    worker.ws.shutdown()


def test_prevent_update_and_errors_are_told(board: Board, caplog: pytest.LogCaptureFixture) -> None:
    worker = board.connect()
    worker.call("out.children", inputs=given("nothing"))
    assert worker.hear()["payload"] == {"status": "prevent_update"}
    worker.call("out.children", inputs=given("fail"))
    assert worker.hear()["payload"] == {"status": "error", "message": "ValueError: no such number"}
    assert "a callback over the socket failed" in caplog.text
    worker.ws.shutdown()


def test_a_callback_that_is_not_for_the_socket_is_refused(board: Board) -> None:
    worker = board.connect()
    worker.call("in.title", inputs=given(1))
    payload = worker.hear()["payload"]
    assert payload["status"] == "error"
    assert "WebSocketCallbackError" in payload["message"]
    worker.ws.shutdown()


def test_the_server_can_push_to_a_page_at_any_time(board: Board) -> None:
    worker = board.connect()
    worker.call("out.children", inputs=given("push"))
    pushed, answer = worker.hear(), worker.hear()
    assert pushed["type"] == "set_props"
    assert pushed["payload"] == {"componentId": "in", "props": {"data": worker.renderer_id}}
    assert answer["type"] == "callback_response"
    board.renderers.send([worker.renderer_id], frames.set_props("out", {"children": "later"}))
    later = worker.hear()
    assert (later["rendererId"], later["payload"]["props"]) == (worker.renderer_id, {"children": "later"})
    worker.ws.shutdown()


def test_more_callbacks_than_there_is_room_for_are_refused_at_once(board: Board) -> None:
    worker = board.connect()
    for _ in range(3):
        worker.call("out.children", inputs=given("wait"))
    assert all(board.entered.acquire(timeout=90) for _ in range(2))
    worker.call("out.children", inputs=given("one too many"))
    assert worker.hear()["payload"] == {"status": "error", "message": "server is busy"}
    board.block.set()
    assert [worker.hear()["payload"]["status"] for _ in range(3)] == ["ok", "ok", "ok"]
    worker.ws.shutdown()


def test_ticks_that_piled_up_while_the_network_was_away_are_answered_by_one(board: Board) -> None:
    worker = board.connect()
    for _ in range(2):  # nobody is free
        worker.call("out.children", inputs=given("wait"))
        assert board.entered.acquire(timeout=90)
    for n in range(500):
        worker.call("out.children", inputs=given(n), changed="keepalive.n_intervals")
    heard = [worker.hear()["payload"]["status"] for _ in range(499)]
    assert set(heard) == {"prevent_update"}
    board.block.set()
    assert [worker.hear()["payload"]["status"] for _ in range(3)] == ["ok"] * 3
    worker.call("out.children", inputs=given(500), changed="keepalive.n_intervals")
    assert worker.hear()["payload"]["status"] == "ok"
    assert board.channel.hub.refused.counts() == {}
    worker.ws.shutdown()


def test_one_browser_cannot_take_every_place_for_callbacks(board: Board) -> None:
    board.channel.max_of_one = 1
    greedy, other = board.connect(), board.connect()
    greedy.call("out.children", inputs=given("wait"))
    assert board.entered.acquire(timeout=90)
    greedy.call("out.children", inputs=given(2))
    assert greedy.hear()["payload"] == {"status": "error", "message": "server is busy"}
    other.call("out.children", inputs=given(3))
    assert other.hear()["payload"]["status"] == "ok"
    board.block.set()
    assert greedy.hear()["payload"]["status"] == "ok"
    assert board.channel.hub.refused.counts() == {"callbacks: too many of one browser": 1}
    greedy.ws.shutdown()
    other.ws.shutdown()


def test_one_connection_cannot_bring_any_number_of_pages(board: Board) -> None:
    board.renderers.most_per_connection = 2
    worker = board.connect()
    statuses = []
    for n in range(3):
        worker.renderer_id = str(uuid.uuid4())
        worker.call("out.children", inputs=given(n))
        statuses.append(worker.hear()["payload"]["status"])
    assert statuses == ["ok", "ok", "error"]
    worker.ws.shutdown()


@pytest.mark.parametrize("said", ["nonsense", "[]", "7", '{"type":"callback_request"}', '{"no":"type"}'])
def test_what_is_not_dashs_protocol_ends_the_connection(board: Board, said: str) -> None:
    worker = board.connect()
    worker.say(said)
    opcode, data = worker.ws.recv_data(control_frame=True)
    assert (opcode, int.from_bytes(data[:2], "big")) == (websocket.ABNF.OPCODE_CLOSE, 1008)
    worker.ws.shutdown()


def test_when_a_browser_goes_its_pages_are_forgotten(board: Board) -> None:
    worker = board.connect()
    worker.call("out.children", inputs=given(1))
    worker.hear()
    worker.ws.shutdown()
    assert board.gone.wait(90)
    # Twice when the connection ends before the callback's thread looks whether the page is still there.
    assert set(board.left) == {worker.renderer_id}


def test_a_page_that_goes_while_its_callback_runs_is_forgotten_after_it(board: Board) -> None:
    worker = board.connect()
    worker.call("out.children", inputs=given("wait"))
    assert board.entered.acquire(timeout=90)
    worker.ws.shutdown()
    assert board.gone.wait(90)  # the connection's end
    board.gone.clear()
    board.block.set()
    assert board.gone.wait(90)  # the callback's end, whose join came after the first
    assert board.left == [worker.renderer_id] * 2


def test_a_page_that_does_not_renew_its_lease_is_forgotten(board: Board) -> None:
    worker = board.connect()
    worker.call("out.children", inputs=given(1))
    worker.hear()
    board.channel.expire()
    assert board.left == []
    board.renderers.lease_s = -1.0
    board.channel.expire()
    assert board.left == [worker.renderer_id]
    worker.ws.shutdown()


def test_a_page_of_another_site_may_not_open_the_channel(board: Board) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        websocket.create_connection(
            f"ws://127.0.0.1:{board.port}/_dash-ws-callback", timeout=90, origin="https://evil.example"
        )
