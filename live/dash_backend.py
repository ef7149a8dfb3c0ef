"""Dash's own browser WebSocket client, served over flask-sock: the one file that leans on private names of Dash.

Dash 4.4 ships the browser side (a SharedWorker) and serves it with FastAPI and Quart only. This backend serves it with
Flask: flask-sock shakes hands, the hub owns the socket, callback requests run in a bounded pool, and `ctx.websocket`
outlives its callback so that the view engine can push at any time. `tests/live/test_dash_contract.py` fails loudly
when an upgrade of Dash changes a name that is used here.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

import orjson
from dash._validate import validate_websocket_callback_request
from dash.backends._flask import FlaskDashServer, FlaskResponseAdapter
from dash.backends.ws import DISCONNECTED, DashWebsocketCallback, create_ws_context
from dash.exceptions import PreventUpdate, WebsocketDisconnected
from flask import Flask
from flask_sock import Sock

from live.connection import Connection
from live.frames import RENDERER, text_frame, to_json
from live.handshake import guard_handshakes
from live.hub import Hub
from live.renderers import Renderers
from live.sockets import use_hub_for_sockets

log = logging.getLogger(__name__)

CHANNEL_PATH = "_dash-ws-callback"
MAX_MESSAGE_BYTES = 4 << 20  # a callback's state may hold a whole figure
MOST_TOLD = 200  # kinds of failures in the log: what fails may be anything that somebody sends
HEARTBEAT_ACK = text_frame(b'{"type":"heartbeat_ack"}')

# Dash's types don't follow into here: these three are as untyped as they are there.
_validate: Any = validate_websocket_callback_request
_make_context: Any = create_ws_context
_ResponseAdapter: Any = FlaskResponseAdapter
_NO_QUEUE: Any = None  # Dash's asyncio queue: messages go through the hub instead


@dataclass(slots=True)
class Browser:
    """What the channel remembers of one browser's connection."""

    room: threading.BoundedSemaphore  # bounds its callbacks that wait or run
    gone: threading.Event = field(default_factory=threading.Event)
    ticking: set[str] = field(default_factory=set)  # renderers with an interval's tick that waits; the loop's alone
    pending_props: dict[str, Any] = field(default_factory=dict)  # request id -> queue of a callback that waits for it


class RemotePage(DashWebsocketCallback):
    """What `ctx.websocket` is inside a callback."""

    def __init__(self, hub: Hub, connection: Connection, renderer_id: str) -> None:
        browser: Browser = connection.state
        super().__init__(browser.pending_props, renderer_id, _NO_QUEUE, browser.gone)
        self.hub = hub
        self.connection = connection
        self.renderer_id = renderer_id

    def _queue_message(self, msg: dict[str, Any]) -> None:
        self.hub.send(self.connection, text_frame(to_json(msg)))


class DashChannel:
    """Speak Dash's protocol with the browsers (a handler of the hub)."""

    def __init__(
        self,
        hub: Hub,
        renderers: Renderers,
        *,
        on_leave: Callable[[str], None],
        on_missed: Callable[[str], None],
        allowed_origins: tuple[str, ...] = (),
        workers: int = 4,
        max_waiting: int = 256,
        max_of_one: int = 64,
    ) -> None:
        """Set up the channel.

        Args:
            hub: owns the sockets.
            renderers: where each renderer's connection is kept.
            on_leave: called with a renderer id when its connection or its lease has ended.
            on_missed: called with a renderer id that missed frames and can take some again.
            allowed_origins: browser origins that may connect besides the app's own.
            workers: threads that run callbacks which came over a socket.
            max_waiting: callbacks that may wait for a thread; more are answered with an error at once.
            max_of_one: how many of them may be of one browser, so that it can't keep the others out.
        """
        self.hub = hub
        self.renderers = renderers
        self.on_leave = on_leave
        self.on_missed = on_missed
        self.allowed_origins = allowed_origins
        self.dash_app: Any = None
        self.max_of_one = max_of_one
        self._told: set[tuple[str, type[Exception]]] = set()  # what was logged; only added to, so it needs no lock
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="dash-callback")
        self._room = threading.BoundedSemaphore(max_waiting)  # bounds the pool's queue

    def on_open(self, connection: Connection) -> None:
        """Give the connection its memory."""
        connection.state = Browser(threading.BoundedSemaphore(self.max_of_one))

    def on_text(self, connection: Connection, text: str) -> None:
        """Take one message of the browser's worker."""
        try:
            message = orjson.loads(text)
            kind = message["type"]
            if kind == "heartbeat":
                self.hub.write(connection, HEARTBEAT_ACK)
            elif kind == "callback_request":
                self._request(connection, message)
            elif kind == "get_props_response":
                waiting = connection.state.pending_props.get(message["requestId"])
                if isinstance(waiting, queue.Queue):
                    waiting.put_nowait(message.get("payload"))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as exc:
            log.warning("a browser sent a message that is not Dash's: %s", exc)
            self.hub.close(connection, 1008, "not Dash's protocol")

    def on_too_big(self, connection: Connection) -> None:
        """Nothing to add to the close code."""

    def on_too_fast(self, connection: Connection) -> None:
        """Nothing to add to the close code."""

    def on_drained(self, connection: Connection) -> None:
        """Let every page of this browser have a fresh snapshot."""
        for renderer_id in self.renderers.of(connection):
            self.on_missed(renderer_id)

    def on_close(self, connection: Connection) -> None:
        """Forget the browser's pages and wake callbacks that wait for it."""
        browser: Browser = connection.state
        browser.gone.set()
        for waiting in list(browser.pending_props.values()):
            if isinstance(waiting, queue.Queue):
                waiting.put_nowait(DISCONNECTED)
        gone = self.renderers.of(connection)
        self.renderers.forget(gone)
        for renderer_id in gone:
            self.on_leave(renderer_id)

    def expire(self) -> None:
        """Forget pages whose tab was closed while others of the browser stayed open."""
        gone = self.renderers.expired()
        self.renderers.forget(gone)
        for renderer_id in gone:
            self.on_leave(renderer_id)

    def stop(self) -> None:
        """Run no more callbacks."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _request(self, connection: Connection, message: dict[str, Any]) -> None:
        renderer_id, request_id = str(message["rendererId"]), message["requestId"]
        payload = message["payload"]
        if not isinstance(payload, dict) or len(renderer_id) > 4 * len(RENDERER):
            raise TypeError("callback_request needs a payload and a renderer id")
        ticking: set[str] = connection.state.ticking
        tick = _is_tick(payload)
        if tick and renderer_id in ticking:  # a worker sends all that its pages said while the network was away
            self._respond(connection, renderer_id, request_id, {"status": "prevent_update"})
            return
        refused = self._take_place(connection, renderer_id)
        if refused:
            self.hub.refused.add(refused)
            self._respond(connection, renderer_id, request_id, {"status": "error", "message": "server is busy"})
            return
        if tick:
            ticking.add(renderer_id)

        def run() -> None:
            self.hub.call(ticking.discard, renderer_id)
            try:
                if connection.state.gone.is_set():
                    return
                self._respond(connection, renderer_id, request_id, self._execute(connection, renderer_id, payload))
            finally:
                self._give_place_back(connection)
                # The page may have gone while its callback made it follow a view; nobody else would forget it then.
                if not self.renderers.reaches(renderer_id):
                    self.on_leave(renderer_id)

        try:
            self._pool.submit(copy_context().run, run)
        except RuntimeError:  # the pool has been shut down: so is the page's connection in a moment
            self._give_place_back(connection)

    def _take_place(self, connection: Connection, renderer_id: str) -> str:
        """Take a place for a callback; return why there is none, or nothing."""
        if not self.renderers.seen(renderer_id, connection):
            return "pages: too many of one browser"
        browser: Browser = connection.state
        if not browser.room.acquire(blocking=False):
            return "callbacks: too many of one browser"
        if not self._room.acquire(blocking=False):
            browser.room.release()
            return "callbacks: too many wait"
        return ""

    def _give_place_back(self, connection: Connection) -> None:
        self._room.release()
        connection.state.room.release()

    def _execute(self, connection: Connection, renderer_id: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Run one callback, as `dash.backends.ws.run_callback_in_executor` does for the other backends."""
        app = self.dash_app
        try:
            _validate(payload.get("output"), app.callback_map, app._websocket_callbacks)
            page = RemotePage(self.hub, connection, renderer_id)
            context = _make_context(payload, _ResponseAdapter(), page)
            function = app._prepare_callback(context, payload)
            values = app._inputs_to_vals(context.inputs_list + context.states_list)
            with app.server.app_context():
                data = app._execute_callback(function, values, context.outputs_list, context)()
            return {"status": "ok", "data": orjson.loads(data)}
        except (PreventUpdate, WebsocketDisconnected):
            return {"status": "prevent_update"}
        except Exception as exc:  # the browser gets the error, the log the traceback, of each kind once
            kind = (str(payload.get("output"))[:100], type(exc))
            if kind not in self._told and len(self._told) < MOST_TOLD:
                self._told.add(kind)
                log.exception("a callback over the socket failed")
            return {"status": "error", "message": f"{type(exc).__name__}: {exc}"}

    def _respond(self, connection: Connection, renderer_id: str, request_id: Any, payload: dict[str, Any]) -> None:
        message = {
            "type": "callback_response",
            "rendererId": renderer_id,
            "requestId": request_id,
            "payload": payload,
        }
        self.hub.send(connection, text_frame(to_json(message)))


def _is_tick(payload: Mapping[str, Any]) -> bool:
    """Return whether a callback is one that an interval calls again and again: of several that wait, one will do."""
    changed = payload.get("changedPropIds")
    return isinstance(changed, list) and len(changed) == 1 and str(changed[0]).endswith(".n_intervals")


def make_backend(channel: DashChannel) -> type[FlaskDashServer]:
    """Make the backend class to hand to `Dash(backend=…)`; Dash creates the Flask app itself."""

    class FlaskSockDashServer(FlaskDashServer):
        websocket_capability = True  # makes Dash tell the browser where the channel is

        def serve_websocket_callback(self, dash_app: Any) -> None:
            server: Flask = self.server
            channel.dash_app = dash_app
            path = dash_app.config.routes_pathname_prefix + CHANNEL_PATH
            use_hub_for_sockets(server)
            sock = Sock(server)

            guard_handshakes(server, path, channel.allowed_origins, channel.hub.refused)

            @sock.route(path)  # type: ignore[untyped-decorator]  # flask-sock has no types
            def dash_socket(ws: Any) -> None:
                channel.hub.adopt(ws, channel, max_message_bytes=MAX_MESSAGE_BYTES)

    return FlaskSockDashServer
