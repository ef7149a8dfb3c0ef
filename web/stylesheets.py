"""The stylesheets of `assets/`, served as one: who comes for the first time asks once, not once for each."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from flask import Flask, Response

from web.index import ThemedDash
from web.kept_files import YEAR_S

# For `Dash(assets_ignore=...)`, which would write a link for each of them into the start page.
EACH: Final = r"\.css$"


def serve_stylesheets(app: ThemedDash) -> None:
    """Link and serve all stylesheets as one, at an address that changes when one of them does.

    Args:
        app: The app, made with `assets_ignore=EACH`. Its compression has to be set up before.
    """
    sheets = sorted(Path(app.config.assets_folder).glob("*.css"))
    text = "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets)
    digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    path = f"{app.config.assets_url_path}/all.{digest}.css"
    # Behind those of the component libraries, as Dash links the files of `assets/`.
    app.css.append_css({"external_url": app.config.requests_pathname_prefix + path, "external_only": True})
    server: Flask = app.server

    @server.get(app.config.routes_pathname_prefix + path)
    def all_stylesheets() -> Response:
        response = Response(text, mimetype="text/css")
        response.cache_control.public = True
        response.cache_control.max_age = YEAR_S
        return response
