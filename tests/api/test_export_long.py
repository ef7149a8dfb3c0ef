"""Long exports: they stream, a bounded number at a time, and end with who reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.export import export_blueprint
from charts import make_adapter
from charts.report import Report
from charts.sheet import Field
from components.view import View
from db.errors import DatabaseUnavailable
from pages.page import RowStream

FIELDS = (Field("n", "whole"), Field("text", "text"))
read: list[int] = []


def rows(chunks: int) -> Iterator[list[tuple[object, ...]]]:
    try:
        for chunk in range(chunks):
            read.append(chunk)
            yield [(place, f"{chunk}-{place}") for place in range(1_000)]
    finally:
        read.append(-1)


def broken() -> Iterator[list[tuple[object, ...]]]:
    yield [(1, "a")]
    yield [(2, "b")]
    raise DatabaseUnavailable("mysql://db", "gone")


def away() -> Iterator[list[tuple[object, ...]]]:
    raise DatabaseUnavailable("mysql://db", "connection refused")
    yield []


def stream(chunks: Any) -> Any:
    return lambda view, now_ms: RowStream(FIELDS, chunks)


EXPORTERS: Mapping[str, Any] = {
    "long": stream(lambda: rows(100_000)),
    "short": stream(lambda: rows(3)),
    "none": stream(lambda: rows(0)),
    "broken": stream(broken),
    "away": stream(away),
}


def report(view: View, now_ms: int) -> Report:
    if view.path == "/nope":
        raise LookupError("there is no page /nope")
    return Report(view.path, view.href(), "now")


@pytest.fixture
def client() -> FlaskClient:
    read.clear()
    app = Flask("export-test")
    app.register_blueprint(
        export_blueprint(
            EXPORTERS,
            make_adapter("plotly"),
            reports={"report": "/", "navigation-report": "/navigation"},
            report=report,
            print_report=lambda report, palette: f"{report.title} {report.range}".encode(),
            threads=8,
        )
    )
    return app.test_client()


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_rows_are_read_while_they_are_sent(client: FlaskClient, format: str) -> None:
    answer = client.get(f"/api/export/long.{format}", buffered=False)
    body = answer.iter_encoded()
    for _ in range(3):
        assert next(body)
    assert len(read) < 500  # of 100,000
    assert answer.headers.get("Content-Length") is None
    answer.close()
    assert read[-1] == -1


def test_too_many_at_the_same_time_are_told_when_to_come_again(client: FlaskClient) -> None:
    first = [client.get("/api/export/long.csv", buffered=False) for _ in range(2)]
    assert [answer.status_code for answer in first] == [200, 200]
    refused = client.get("/api/export/long.parquet")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert "try again" in refused.json["error"]
    first[0].close()  # before a single byte was read
    assert client.get("/api/export/short.csv", buffered=True).status_code == 200
    next(first[1].iter_encoded())
    first[1].close()
    assert [client.get("/api/export/short.parquet", buffered=True).status_code for _ in range(4)] == [200] * 4


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_database_that_is_away_is_said_before_the_file_begins(client: FlaskClient, format: str) -> None:
    for _ in range(4):  # and the place is given back
        assert client.get(f"/api/export/away.{format}").status_code == 503


def test_a_database_that_goes_away_meanwhile_breaks_the_file_off(client: FlaskClient) -> None:
    answer = client.get("/api/export/broken.csv", buffered=False)
    assert answer.status_code == 200
    with pytest.raises(DatabaseUnavailable):
        list(answer.iter_encoded())
    answer.close()
    assert client.get("/api/export/short.csv", buffered=True).status_code == 200


def test_an_export_without_rows_has_its_head_line(client: FlaskClient) -> None:
    assert client.get("/api/export/none.csv").data.decode("utf-8-sig") == "n,text\r\n"
    assert client.get("/api/export/none.parquet").data.startswith(b"PAR1")
    assert len(client.get("/api/export/short.csv").data.splitlines()) == 3_001


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("navigation-report.pdf?from=now-1h", "/navigation /navigation?from=now-1h"),
        ("report.pdf?page=/scraping&source=a", "/scraping /scraping?source=a"),
        ("report.pdf", "/ /"),
    ],
)
def test_a_report_is_of_the_page_with_its_query_string(client: FlaskClient, path: str, said: str) -> None:
    answer = client.get(f"/api/export/{path}")
    assert (answer.status_code, answer.mimetype, answer.data.decode()) == (200, "application/pdf", said)
    assert "scrapeboard-" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize("path", ["report.csv", "report.pdf?page=/nope", "other-report.pdf", "short.png"])
def test_what_is_not_there_is_said(client: FlaskClient, path: str) -> None:
    answer = client.get(f"/api/export/{path}")
    assert answer.status_code == 404
    assert answer.json["error"]
