"""A Dash app whose pages are sent to over Dash's WebSocket channel: by our backend, or by Dash's own with FastAPI."""

from __future__ import annotations

import sys
import threading
from typing import Any

from dash import Dash, State, ctx, dcc, html

from bench._served import free_port
from bench.channel.control import obey
from bench.channel.gunicorn_served import serve
from bench.channel.wire import COMPONENT, page_payload, page_text
from live.dash_backend import DashChannel, make_backend
from live.hub import Hub
from live.renderers import Renderers
from web.serve import look_for_cycles_less_often


def pages(**options: Any) -> tuple[Dash, list[Any], str]:
    """Return an app, the pages that listen to it, and the name of the callback that makes them."""
    listening: list[Any] = []
    dash = Dash("bench", **options)
    dash.layout = html.Div([dcc.Store(id="bench-state"), html.Div(id=COMPONENT)])

    @dash.callback(State("bench-state", "data"), websocket=True)
    def listen(_data: Any) -> None:
        """Dash calls this at page load and after every reconnect."""
        listening.append(ctx.websocket)

    setup: Any = dash._setup_server  # what the first request would do
    setup()
    return dash, listening, next(iter(dash.callback_map))


class OurPages:
    """Dash on our hub, as gunicorn serves it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.hub = Hub()
        self.renderers = Renderers(self.hub)
        channel = DashChannel(self.hub, self.renderers, on_leave=lambda _: None, on_missed=lambda _: None)
        dash, self.listening, self.output = pages(backend=make_backend(channel), websocket_inactivity_timeout=0)
        self.server = dash.server
        self.names: list[str] = []

    def start(self) -> None:
        """Start the hub, and listen to the bench."""
        self.hub.start()
        look_for_cycles_less_often()
        threading.Thread(target=obey, args=(self.port, self.publish), kwargs={"stats": self.stats}).start()

    def stop(self, timeout_s: float) -> None:
        """Leave everything to the end of the process."""

    def publish(self, number: int) -> None:
        """Do what the view engine does when a view has changed."""
        self.renderers.send(self.names, page_payload(number))

    def stats(self) -> dict[str, Any]:
        """Return what is counted; from now on, send to whom there is, and remember no more of them than the program."""
        self.names += [page.renderer_id for page in self.listening]
        self.listening.clear()
        return {"viewers": len(self.names), "output": self.output}


def serve_fastapi() -> None:
    """Serve Dash's own channel with uvicorn."""
    import uvicorn

    dash, listening, output = pages(backend="fastapi", websocket_inactivity_timeout=0)

    def publish(number: int) -> None:
        text = page_text(number)
        for page in listening:
            page.set_prop_sync(COMPONENT, "children", text)

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(dash.server, port=port, log_level="warning", backlog=4096))
    stats = {"stats": lambda: {"viewers": len(listening), "output": output}}
    threading.Thread(target=obey, args=(port, publish), kwargs=stats).start()
    server.run()


if __name__ == "__main__":
    if sys.argv[1] == "ours":
        serve(OurPages, threads=16)
    else:
        serve_fastapi()
