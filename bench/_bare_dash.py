"""A Dash page with one chart and nothing else: the floor of every page load."""

import os
from collections.abc import Callable, Iterable

import plotly.graph_objects as go
from dash import Dash, dcc, html
from flask import Flask

app = Dash(__name__, compress=True, serve_locally=True)
app.layout = html.Div(dcc.Graph(figure=go.Figure(go.Scatter(x=list(range(60)), y=list(range(60)))).to_plotly_json()))
server: Flask = app.server


@server.get("/api/health")
def health() -> str:
    """Say that it is up."""
    return "ok"


if __name__ == "__main__":
    from gunicorn.app.base import BaseApplication

    class Served(BaseApplication):
        """The same server as the app's."""

        def load_config(self) -> None:
            """Set address, threads and no access log."""
            for name, value in (
                ("bind", f"127.0.0.1:{os.environ['SCRAPEBOARD_PORT']}"),
                ("worker_class", "gthread"),
                ("threads", 8),
            ):
                self.cfg.set(name, value)

        def load(self) -> Callable[..., Iterable[bytes]]:
            """Return the application."""
            return server.wsgi_app

    Served().run()
