"""The stylesheets travel as one, which is linked behind those of the libraries and kept for a year."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from dash import html

from web.index import ThemedDash
from web.kept_files import YEAR_S
from web.stylesheets import EACH, serve_stylesheets

ASSETS = Path(__file__).parents[2] / "assets"


def test_all_stylesheets_are_one_request_for_a_file_that_is_kept_for_a_year() -> None:
    app = ThemedDash(__name__, assets_folder=str(ASSETS), compress=True, serve_locally=True, assets_ignore=EACH)
    app.layout = html.Div()
    serve_stylesheets(app)
    client = app.server.test_client()
    linked = re.findall(r'<link rel="stylesheet" href="([^"]+)">', client.get("/").get_data(as_text=True))
    assert linked[-1].startswith("/assets/")  # it has the last word
    assert sum(address.startswith("/assets/") for address in linked) == 1
    answer = client.get(linked[-1], headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.mimetype == "text/css"
    assert f"max-age={YEAR_S}" in answer.headers["Cache-Control"]
    text = gzip.decompress(answer.data).decode()
    sheets = [sheet.read_text(encoding="utf-8") for sheet in sorted(ASSETS.glob("*.css"))]
    assert text == "\n".join(sheets)
