"""The private names of Dash that the live channel leans on: an upgrade that changes one fails here, loudly."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from pathlib import Path

import dash
from dash._validate import validate_websocket_callback_request
from dash.backends._flask import FlaskDashServer, FlaskResponseAdapter
from dash.backends.ws import DISCONNECTED, DashWebsocketCallback, create_ws_context

from live.dash_backend import CHANNEL_PATH, DashChannel, make_backend
from live.frames import RENDERER
from live.hub import Hub
from live.renderers import Renderers

BUILD = Path(dash.__file__).parent / "dash-renderer" / "build"


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_dash_is_the_version_that_this_was_written_for() -> None:
    pinned = next(
        line for line in Path("requirements.txt").read_text().splitlines() if line.lower().startswith("dash==")
    )
    assert pinned.split("==")[1].split()[0] == version("dash") == "4.4.1"


def test_the_server_side_names_have_the_expected_forms() -> None:
    assert parameters(DashWebsocketCallback.__init__) == [
        "self", "pending_get_props", "renderer_id", "outbound_queue", "shutdown_event", "loop",
    ]  # fmt: skip
    assert parameters(DashWebsocketCallback._queue_message) == ["self", "msg"]
    assert parameters(create_ws_context) == ["payload", "response_adapter", "websocket_callback"]
    assert parameters(validate_websocket_callback_request) == [
        "callback_id", "callback_map", "websocket_callbacks_enabled",
    ]  # fmt: skip
    assert parameters(dash.Dash._prepare_callback) == ["self", "g", "body"]
    assert parameters(dash.Dash._inputs_to_vals) == ["self", "inputs"]
    assert parameters(dash.Dash._execute_callback) == ["self", "func", "args", "outputs_list", "g"]
    assert parameters(FlaskDashServer.__init__) == ["self", "server"]
    assert FlaskResponseAdapter().callback_response.mimetype == "application/json"
    assert isinstance(DISCONNECTED, str)


def test_the_browser_side_speaks_the_messages_that_we_answer() -> None:
    worker = (BUILD / "dash-ws-worker.js").read_text()
    for word in ("callback_request", "callback_response", "set_props", "heartbeat", "heartbeat_ack", "rendererId"):
        assert f'"{word}"' in worker or f"{word}:" in worker, word
    assert "Array.isArray" in worker  # several messages may travel in one frame
    renderer = (BUILD / "dash_renderer.min.js").read_text()
    assert "randomUUID" in renderer  # renderer ids have the length of our place holder
    assert len(RENDERER) == 36
    assert "__dash_patch_update" in renderer
    for operation in ("Assign", "Delete", "Extend", "Prepend"):
        assert f"{operation}:" in renderer or f'"{operation}"' in renderer


def test_dash_tells_the_browser_where_the_channel_is(hub: Hub) -> None:
    channel = DashChannel(hub, Renderers(hub), on_leave=lambda _: None, on_missed=lambda _: None)
    app = dash.Dash("contract", backend=make_backend(channel), websocket_inactivity_timeout=0)
    config = app._config()["websocket"]
    assert config["url"] == f"/{CHANNEL_PATH}"
    assert config["inactivity_timeout"] == 0
    assert "dash-ws-worker" in config["worker_url"]
    assert f"/{CHANNEL_PATH}" in {rule.rule for rule in app.server.url_map.iter_rules()}
    channel.stop()
