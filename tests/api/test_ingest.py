"""POST /api/ingest: every bad input gets a 4xx that names metric and field, and loses nothing good."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from api.ingest import ingest_blueprint
from collector.errors import SinkUnavailable
from collector.events import Metric, PageNavigation
from collector.sinks import Batch, Delivery

NOW_MS = 1_763_800_000_000
DAY_MS = 86_400_000


class MemorySink:
    """Keeps what it is sent, once for each batch id."""

    def __init__(self) -> None:
        self.batches: dict[str, tuple[Metric, ...]] = {}
        self.away = False

    def send(self, batch: Batch) -> Delivery:
        if self.away:
            raise SinkUnavailable("the database can't be reached", 3.0)
        if batch.batch_id in self.batches:
            return Delivery(accepted=0, duplicate=True, rejected=())
        self.batches[batch.batch_id] = batch.metrics
        return Delivery(accepted=len(batch.metrics), duplicate=False, rejected=())

    @property
    def metrics(self) -> list[Metric]:
        return [metric for metrics in self.batches.values() for metric in metrics]


def client_of(sink: MemorySink, *, token: str | None = None) -> FlaskClient:
    app = Flask("ingest-test")
    app.register_blueprint(ingest_blueprint(sink, token=token, max_bytes=8 << 20, clock_ms=lambda: NOW_MS))
    return app.test_client()


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def client(sink: MemorySink) -> FlaskClient:
    return client_of(sink)


def navigation(**changes: Any) -> dict[str, Any]:
    metric = {
        "type": "page_navigation",
        "scraperSource": "robinhood",
        "url": "https://robinhood.com/",
        "navigationDurationMs": 150,
    }
    return {**metric, **changes}


def post(client: FlaskClient, *metrics: Any, batch_id: str = "b-1") -> Any:
    return client.post("/api/ingest", data=json.dumps({"batchId": batch_id, "metrics": metrics}))


def test_a_batch_is_stored_and_acknowledged(client: FlaskClient, sink: MemorySink) -> None:
    answer = post(client, navigation(), navigation(navigationDurationMs=90.5))
    assert (answer.status_code, answer.json) == (202, {"accepted": 2, "duplicate": False})
    assert len(sink.metrics) == 2


def test_a_batch_that_comes_again_is_acknowledged_and_stored_once(client: FlaskClient, sink: MemorySink) -> None:
    post(client, navigation())
    answer = post(client, navigation())
    assert (answer.status_code, answer.json) == (202, {"accepted": 0, "duplicate": True})
    assert len(sink.metrics) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"navigationDurationMs": "150"}, "navigationDurationMs"),
        ({"navigationDurationMs": -1}, "navigationDurationMs"),
        ({"navigationDurationMs": float("nan")}, "navigationDurationMs"),
        ({"navigationDurationMs": float("inf")}, "navigationDurationMs"),
        ({"navigationDurationMs": True}, "navigationDurationMs"),
        ({"navigationDurationMs": None}, "navigationDurationMs"),
        ({"scraperSource": None}, "scraperSource"),
        ({"scraperSource": "   "}, "scraperSource"),
        ({"scraperSource": "x" * 200}, "scraperSource"),
        ({"scraperSource": 5}, "scraperSource"),
        ({"url": ""}, "url"),
        ({"success": "yes"}, "success"),
        ({"retryCount": -1}, "retryCount"),
        ({"retryCount": 1.5}, "retryCount"),
        ({"recordedAt": 0}, "recordedAt"),
        ({"recordedAt": 4_102_444_800_000}, "recordedAt"),
        ({"recordedAt": NOW_MS + 2 * DAY_MS}, "recordedAt"),
        ({"recordedAt": "2026-01-01"}, "recordedAt"),
        ({"statusCode": 99_999}, "statusCode"),
        ({"labels": {"a": 1}}, "labels"),
        ({"type": "page_dance"}, "type"),
    ],
)
def test_a_bad_metric_is_named_and_the_good_ones_are_kept(
    client: FlaskClient, sink: MemorySink, changes: dict[str, Any], field: str
) -> None:
    answer = post(client, navigation(), navigation(**changes), navigation())
    assert answer.status_code == 422
    assert answer.json["accepted"] == 2
    (rejected,) = answer.json["rejected"]
    assert (rejected["index"], rejected["field"]) == (1, field)
    assert rejected["message"]
    assert len(sink.metrics) == 2


def test_a_missing_source_is_named(client: FlaskClient) -> None:
    metric = navigation()
    del metric["scraperSource"]
    (rejected,) = post(client, metric).json["rejected"]
    assert (rejected["index"], rejected["field"]) == (0, "scraperSource")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b'"text"',
        b"{}",
        b'{"batchId": "b"}',
        b'{"metrics": []}',
        b'{"batchId": "", "metrics": []}',
        b'{"batchId": 7, "metrics": []}',
        b'{"batchId": "b", "metrics": {}}',
        b'{"batchId": "' + b"x" * 65 + b'", "metrics": []}',
        b'{"batchId": "b\\n", "metrics": []}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_batch_is_refused_with_one_line(client: FlaskClient, sink: MemorySink, body: bytes) -> None:
    answer = client.post("/api/ingest", data=body)
    assert answer.status_code == 400
    assert answer.json["error"]
    assert sink.batches == {}


def test_a_body_over_the_limit_is_refused_unread(client: FlaskClient, sink: MemorySink) -> None:
    answer = client.post("/api/ingest", data=b"x" * (10 << 20))
    assert answer.status_code == 413
    assert str(8 << 20) in answer.json["error"]
    assert sink.batches == {}


def test_a_body_without_a_length_is_refused_too_when_it_is_too_long(client: FlaskClient, sink: MemorySink) -> None:
    stream = io.BytesIO(json.dumps({"batchId": "b", "metrics": [navigation()]}).encode() + b" " * (9 << 20))
    answer = client.post("/api/ingest", input_stream=stream, environ_overrides={"wsgi.input_terminated": True})
    assert answer.status_code == 413
    assert sink.batches == {}


def test_packed_body_is_unpacked(client: FlaskClient, sink: MemorySink) -> None:
    packings = {"gzip": gzip.compress, "GZIP": lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:]),
                "deflate": zlib.compress, "identity": bytes}  # fmt: skip
    for encoding, pack in packings.items():
        body = json.dumps({"batchId": encoding, "metrics": [navigation()]}).encode()
        answer = client.post("/api/ingest", data=pack(body), headers={"Content-Encoding": encoding})
        assert (answer.status_code, answer.json) == (202, {"accepted": 1, "duplicate": False})
    assert list(sink.batches) == list(packings)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("br", b"x"), ("gzip", b"{}"), ("gzip", gzip.compress(b"{}", mtime=0)[:-9]), ("gzip", b""), ("gzip, gzip", b"")],
)
def test_body_that_can_not_be_unpacked_is_refused_with_one_line(
    client: FlaskClient, encoding: str, body: bytes
) -> None:
    answer = client.post("/api/ingest", data=body, headers={"Content-Encoding": encoding})
    assert answer.status_code == 400
    assert encoding in answer.json["error"]


def test_small_body_that_unpacks_to_a_huge_one_is_refused(client: FlaskClient, sink: MemorySink) -> None:
    body = json.dumps({"batchId": "b", "metrics": [navigation()]}).encode()
    for spaces, status in ((8 << 20) - len(body), 202), ((8 << 20) - len(body) + 1, 413):
        packed = gzip.compress(body + b" " * spaces, compresslevel=1)
        assert client.post("/api/ingest", data=packed, headers={"Content-Encoding": "gzip"}).status_code == status
    assert len(sink.metrics) == 1


def test_body_that_breaks_off_is_the_senders_mistake(client: FlaskClient, sink: MemorySink) -> None:
    class InvalidChunkSizeError(Exception):
        """As gunicorn has it."""

    class Broken(io.BytesIO):
        def readinto(self, buffer: Any) -> int:
            raise InvalidChunkSizeError("invalid chunk size")

        def read(self, size: int | None = -1) -> bytes:
            raise InvalidChunkSizeError("invalid chunk size")

    answer = client.post("/api/ingest", input_stream=Broken(), environ_overrides={"wsgi.input_terminated": True})
    assert answer.status_code == 400
    assert "invalid chunk size" in answer.json["error"]
    assert sink.batches == {}


def test_whole_number_may_be_written_with_a_point(client: FlaskClient, sink: MemorySink) -> None:
    assert post(client, navigation(retryCount=2.0, statusCode=503.0)).status_code == 202
    assert post(client, navigation(retryCount=2.5), batch_id="b-2").json["rejected"][0]["field"] == "retryCount"
    (metric,) = sink.metrics
    assert isinstance(metric, PageNavigation)
    assert [(type(number), number) for number in (metric.retry_count, metric.status_code)] == [(int, 2), (int, 503)]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_any_other_use_of_the_ingest_says_what_it_is_for(client: FlaskClient, method: str) -> None:
    answer = client.open("/api/ingest", method=method)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert "POST a batch" in answer.json["error"]


def test_a_batch_of_millions_of_nothings_is_not_answered_one_by_one(client: FlaskClient, sink: MemorySink) -> None:
    answer = client.post("/api/ingest", data=b'{"batchId":"b","metrics":[' + b"0," * 100_000 + b"0]}")
    assert answer.status_code == 413
    assert "100000 metrics" in answer.json["error"]
    assert sink.batches == {}


def test_while_the_database_is_away_the_sender_is_asked_to_try_again(client: FlaskClient, sink: MemorySink) -> None:
    sink.away = True
    answer = post(client, navigation())
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "3"
    sink.away = False
    assert post(client, navigation()).status_code == 202


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("Bearer wrong", 401),
        ("Basic secret", 401),
        ("Bearer sécret", 401),
        ("Bearer secret", 202),
        ("bearer secret", 202),
    ],
)
def test_with_a_token_only_its_owners_may_post(sink: MemorySink, header: str | None, status: int) -> None:
    client = client_of(sink, token="secret")
    headers = {} if header is None else {"Authorization": header.encode().decode("latin-1")}
    answer = client.post("/api/ingest", json={"batchId": "b", "metrics": [navigation()]}, headers=headers)
    assert answer.status_code == status
    assert len(sink.metrics) == (status == 202)


def test_a_page_of_another_site_may_not_post(client: FlaskClient, sink: MemorySink) -> None:
    body = json.dumps({"batchId": "b", "metrics": [navigation()]})
    answer = client.post("/api/ingest", data=body, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert sink.batches == {}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
fields = st.sampled_from(
    ["type", "scraperSource", "url", "navigationDurationMs", "success", "error", "recordedAt", "labels", "retryCount"]
)


@given(st.lists(st.dictionaries(fields, json_values) | json_values, max_size=4))
def test_no_json_crashes_it_and_every_metric_is_accounted_for(metrics: list[Any]) -> None:
    sink = MemorySink()
    answer = post(client_of(sink), *metrics, navigation())
    assert answer.status_code in (202, 422)
    assert answer.json["accepted"] + len(answer.json.get("rejected", [])) == len(metrics) + 1
    assert answer.json["accepted"] == len(sink.metrics)
