"""Component libraries that few pages use: their scripts travel with those pages and cost no other page anything.

Dash writes the script of every imported package into every page. These are taken out of there, and named in the answer
of the callback that loads a page which needs them: Dash's renderer then fetches them before it shows the page.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from dash import Dash
from flask import Flask, Response, g, has_request_context

_NEEDED = "component_libraries"


def lend_libraries(app: Dash, names: Sequence[str]) -> None:
    """Take libraries out of the page's own scripts; `need` brings them.

    Args:
        app: The app.
        names: Packages of Dash components.
    """
    scripts: Mapping[str, list[dict[str, str]]] = {name: _lend(app, name) for name in names}
    server: Flask = app.server

    @server.after_request
    def add(response: Response) -> Response:
        needed = g.get(_NEEDED, ())
        if needed and response.status_code == 200 and response.is_json:
            answer = orjson.loads(response.get_data())
            answer["dist"] = [script for name in needed for script in scripts[name]]
            response.set_data(orjson.dumps(answer))
        return response


def need(names: Sequence[str]) -> None:
    """Send libraries along with the answer of the callback that runs now.

    Args:
        names: Some of those that were lent.
    """
    if names and has_request_context():
        setattr(g, _NEEDED, tuple(names))


def _lend(app: Dash, name: str) -> list[dict[str, str]]:
    importlib.import_module(name)
    resources: list[dict[str, Any]] = sys.modules[name]._js_dist
    wanted = [resource for resource in resources if not resource.get("dynamic") and not resource.get("async")]
    scripts: list[dict[str, str]] = app.get_dist([name])
    for resource in wanted:
        resource["dynamic"] = True  # served, but not written into the page
    return scripts
