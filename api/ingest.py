"""`POST /api/ingest`: a batch of metrics from another process, answered when it is persisted."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any

import orjson
from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from api.answers import json_answer, problem
from collector.errors import InvalidMetric, SinkRefused, SinkUnavailable
from collector.events import Metric, from_wire
from collector.sinks import Batch, Sink
from db.clock import now_ms
from live.origin import origin_allowed

MAX_BATCH_ID_CHARS = 64
MAX_METRICS = 100_000  # no 8 MiB hold more real ones; the answer names each bad one, so there must be an end


def ingest_blueprint(
    sink: Sink,
    *,
    token: str | None,
    max_bytes: int,
    allowed_origins: tuple[str, ...] = (),
    clock_ms: Callable[[], int] = now_ms,
) -> Blueprint:
    """Make the route.

    Args:
        sink: where the good metrics go; persisted when `send` returns.
        token: the bearer token that a batch needs, or None.
        max_bytes: larger bodies are answered with 413.
        allowed_origins: browser origins that may post besides the app's own.
        clock_ms: the wall clock, epoch milliseconds.

    Returns:
        A Flask blueprint.
    """
    blueprint = Blueprint("ingest", __name__)

    @blueprint.post("/api/ingest")
    def ingest() -> Response:
        if token is not None and not _authorized(token):
            answer = problem(401, "this app needs a token: send the header Authorization: Bearer <SCRAPEBOARD_TOKEN>")
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        if not origin_allowed(request.headers, allowed_origins):
            return problem(403, "a page of another site may not post metrics here; see SCRAPEBOARD_ALLOWED_ORIGINS")
        request.max_content_length = max_bytes + 1
        try:
            body = request.get_data(cache=False)
        except RequestEntityTooLarge:
            body = None
        # A body without a length (chunked) isn't refused but cut at the limit.
        if body is None or len(body) > max_bytes:
            return problem(413, f"a batch has at most {max_bytes} bytes; send smaller ones")
        try:
            batch_id, items = _envelope(body)
        except ValueError as exc:
            return problem(400, str(exc))
        if len(items) > MAX_METRICS:
            return problem(413, f"a batch has at most {MAX_METRICS} metrics; send smaller ones")
        good, rejected = _sort_out(items, clock_ms())
        return _deliver(sink, batch_id, good, rejected)

    @blueprint.get("/api/ingest")
    def not_for_reading() -> Response:
        answer = problem(405, "POST a batch here; GET /api/stats tells what arrived")
        answer.headers["Allow"] = "POST"
        return answer

    return blueprint


def _authorized(token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def _envelope(body: bytes) -> tuple[str, list[Any]]:
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        # Python's own json writes NaN, which is no JSON. Read it all the same, so that one NaN is refused by its
        # field's name and doesn't cost the batch.
        try:
            message = json.loads(body)
        except (ValueError, RecursionError) as exc:
            raise ValueError(f"the body is not JSON: {str(exc)[:200]}") from exc
    if not isinstance(message, dict):
        raise ValueError('a batch is a JSON object: {"batchId": "...", "metrics": [...]}')
    batch_id, items = message.get("batchId"), message.get("metrics")
    if not isinstance(batch_id, str) or not 1 <= len(batch_id) <= MAX_BATCH_ID_CHARS or not batch_id.isprintable():
        raise ValueError(f"batchId must be a printable string of 1-{MAX_BATCH_ID_CHARS} characters, new for each batch")
    if not isinstance(items, list):
        raise ValueError("metrics must be a list")
    return batch_id, items


def _sort_out(items: list[Any], moment_ms: int) -> tuple[list[Metric], list[dict[str, Any]]]:
    """Return the good metrics, and what is wrong with the others by their index in the batch."""
    try:
        return [from_wire(item, now_ms=moment_ms) for item in items], []  # as good as always
    except InvalidMetric:
        good: list[Metric] = []
        rejected: list[dict[str, Any]] = []
        for index, item in enumerate(items):
            try:
                good.append(from_wire(item, now_ms=moment_ms))
            except InvalidMetric as exc:
                rejected.append({"index": index, "field": exc.field, "message": exc.message})
        return good, rejected


def _deliver(sink: Sink, batch_id: str, good: list[Metric], rejected: list[dict[str, Any]]) -> Response:
    accepted, duplicate = 0, False
    if good or not rejected:
        try:
            delivery = sink.send(Batch(batch_id, tuple(good)))
        except SinkUnavailable as exc:
            answer = problem(503, f"nowhere to put it at the moment, send the same batch again: {exc.reason}")
            answer.headers["Retry-After"] = str(max(1, round(exc.retry_after_s or 1)))
            return answer
        except SinkRefused as exc:
            return problem(400, exc.reason)
        accepted, duplicate = delivery.accepted, delivery.duplicate
        bad = {no["index"] for no in rejected}
        places = [index for index in range(len(good) + len(bad)) if index not in bad] if delivery.rejected else []
        rejected += [{"index": places[no.index], "field": no.field, "message": no.message} for no in delivery.rejected]
    if rejected and not duplicate:
        rejected.sort(key=lambda item: int(item["index"]))
        return json_answer(422, {"accepted": accepted, "duplicate": False, "rejected": rejected})
    return json_answer(202, {"accepted": accepted, "duplicate": duplicate})
