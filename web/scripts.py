"""The scripts of the chart library: written into every page, and served without what nobody draws with."""

from __future__ import annotations

import re
from typing import Final

from dash import Dash
from flask import Flask, Response, request

from charts.base import ChartAdapter

_SUITES: Final = "_dash-component-suites/"
# What Dash writes into a file's name, so that its address changes when the file does.
_FINGERPRINT: Final = re.compile(r"\.v[\w-]+m[\w-]+(?=\.)")


def serve_scripts(app: Dash, adapter: ChartAdapter) -> None:
    """Send the adapter's scripts with every page.

    Args:
        app: The app. Its compression has to be set up before: what is served is compressed afterwards.
        adapter: Who draws.
    """
    files: dict[str, str] = {}
    for package, file in adapter.scripts:
        app.scripts.append_script({"namespace": package, "relative_package_path": file})  # type: ignore[no-untyped-call]
        files[f"{package}/{file}"] = file
    server: Flask = app.server

    @server.after_request
    def shorten(response: Response) -> Response:
        _, suites, path = request.path.partition(_SUITES)
        file = files.get(_FINGERPRINT.sub("", path)) if suites else None
        if file is not None and response.status_code == 200:
            script = response.get_data(as_text=True)
            served = adapter.served(script, file)
            if served != script:
                response.set_data(served)
        return response
