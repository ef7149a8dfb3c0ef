"""GET /api/export: what a page shows for the same query string, as a file."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.export import export_blueprint
from charts import make_adapter
from charts.info import BarInfo
from components.view import View
from db.errors import DatabaseUnavailable
from pages.page import Rows

asked: list[View] = []


def chart(view: View, now_ms: int) -> BarInfo:
    del now_ms
    asked.append(view)
    return BarInfo(title="Items", description="Items by source.", categories=("a", "=b"), values=(1, 2), unit="")


def table(view: View, now_ms: int) -> Rows:
    del view, now_ms
    return Rows(("source", "mean_ms"), (("=cmd|'/c calc'!A1", 1.5), ("ünïcode", None)))


def away(view: View, now_ms: int) -> Any:
    raise DatabaseUnavailable("mysql://db", "connection refused")


@pytest.fixture
def client() -> FlaskClient:
    app = Flask("export-test")
    app.register_blueprint(export_blueprint({"items": chart, "rows": table, "away": away}, make_adapter("plotly")))
    return app.test_client()


@pytest.mark.parametrize(
    ("extension", "mimetype", "start"),
    [
        ("png", "image/png", b"\x89PNG"),
        ("svg", "image/svg+xml", b"<svg"),
        ("pdf", "application/pdf", b"%PDF"),
        ("csv", "text/csv", b"\xef\xbb\xbf"),
    ],
)
def test_a_chart_comes_in_every_format(client: FlaskClient, extension: str, mimetype: str, start: bytes) -> None:
    answer = client.get(f"/api/export/items.{extension}?from=now-1h")
    assert answer.status_code == 200
    assert answer.mimetype == mimetype
    assert answer.data.startswith(start)
    assert f"scrapeboard-items.{extension}" in answer.headers["Content-Disposition"]


def test_the_query_string_is_that_of_the_page(client: FlaskClient) -> None:
    client.get("/api/export/items.csv?from=now-1h&source=a&source=b&result=failed&q=x&page=%2Fscrapers%2Fcnbc")
    view = asked[-1]
    assert (view.from_, view.sources, view.result, view.q) == ("now-1h", ("a", "b"), "failed", "x")
    assert view.path == "/scrapers/cnbc"


def test_a_table_is_csv_that_no_spreadsheet_runs(client: FlaskClient) -> None:
    answer = client.get("/api/export/rows.csv")
    assert answer.data.decode("utf-8-sig") == "source,mean_ms\r\n'=cmd|'/c calc'!A1,1.5\r\nünïcode,\r\n"


@pytest.mark.parametrize(
    ("path", "status"), [("nothing.csv", 404), ("items.exe", 404), ("rows.png", 404), ("away.csv", 503)]
)
def test_what_cannot_be_exported_is_said(client: FlaskClient, path: str, status: int) -> None:
    answer = client.get(f"/api/export/{path}")
    assert answer.status_code == status
    assert answer.json["error"]
