"""`POST /api/ingest`: a batch of metrics from another process, answered when it is persisted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from api.answers import json_answer, problem
from api.bearer import refused
from api.bodies import TooLargeError, unpacked
from api.envelope import Envelope, open_envelope
from collector.errors import InvalidMetric, SinkRefused, SinkUnavailable
from collector.events import Metric, event_from_wire, from_wire
from collector.run_events import ScraperRun
from collector.sinks import Batch, Sink
from db.clock import now_ms
from db.clocks import correction_of
from db.collectors import Collectors
from live.origin import origin_allowed

MAX_METRICS = 100_000  # no 8 MiB hold more real ones; the answer names each bad one, so there must be an end


def ingest_blueprint(
    sink: Sink,
    *,
    token: str | None,
    max_bytes: int,
    collectors: Collectors | None = None,
    allowed_origins: tuple[str, ...] = (),
    clock_ms: Callable[[], int] = now_ms,
) -> Blueprint:
    """Make the route.

    Args:
        sink: where the good metrics go; persisted when `send` returns.
        token: the bearer token that a batch needs, or None.
        max_bytes: larger bodies are answered with 413.
        collectors: who takes in what collectors say of themselves; None when nobody wants to know.
        allowed_origins: browser origins that may post besides the app's own.
        clock_ms: the wall clock, epoch milliseconds.

    Returns:
        A Flask blueprint.
    """
    blueprint = Blueprint("ingest", __name__)

    @blueprint.post("/api/ingest")
    def ingest() -> Response:
        if (answer := refused(token)) is not None:
            return answer
        if not origin_allowed(request.headers, allowed_origins):
            return problem(403, "a page of another site may not post metrics here; see SCRAPEBOARD_ALLOWED_ORIGINS")
        received_ms = clock_ms()  # before the body is read: how long that takes says nothing of the sender's clock
        request.max_content_length = max_bytes + 1
        try:
            body = request.get_data(cache=False)
        except RequestEntityTooLarge:
            body = None
        except Exception as exc:  # noqa: BLE001 - chunks that are none: each web server has an error of its own for them
            return problem(400, f"the body can't be read to its end: {str(exc)[:200]}")
        too_large = problem(413, f"a batch has at most {max_bytes} bytes; send smaller ones")
        # A body without a length (chunked) isn't refused but cut at the limit.
        if body is None or len(body) > max_bytes:
            return too_large
        try:
            envelope = open_envelope(unpacked(body, request.headers.get("Content-Encoding", ""), max_bytes))
        except TooLargeError:
            return too_large
        except ValueError as exc:
            return problem(400, str(exc))
        if len(envelope.items) > MAX_METRICS:
            return problem(413, f"a batch has at most {MAX_METRICS} metrics; send smaller ones")
        correction_ms = _correction_ms(envelope, collectors, received_ms)
        if correction_ms:
            _correct(envelope.items, correction_ms)
        answer, accepted = _deliver(sink, envelope, received_ms)
        if correction_ms and collectors is not None and envelope.collector_id is not None:
            collectors.clocks.count(envelope.collector_id, accepted)
        return answer

    @blueprint.route("/api/ingest", methods=["GET", "PUT", "PATCH", "DELETE"])
    def not_for_reading() -> Response:
        answer = problem(405, "POST a batch here; GET /api/stats tells what arrived")
        answer.headers["Allow"] = "POST"
        return answer

    return blueprint


def _correction_ms(envelope: Envelope, collectors: Collectors | None, received_ms: int) -> int:
    """Return what the times in a batch are to be corrected by, and take its collector's report in."""
    if envelope.sent_ms is None:
        return 0
    if collectors is None or envelope.collector_id is None:
        return correction_of(received_ms - envelope.sent_ms)
    reading = collectors.clocks.read(envelope.collector_id, envelope.sent_ms, received_ms)
    if envelope.report is not None:
        collectors.heard(envelope.report, received_ms)
    return reading.correction_ms


def _correct(items: list[Any], correction_ms: int) -> None:
    """Set the moments that came from a clock that is far off right; what isn't a moment is refused later."""
    for item in items:
        if isinstance(item, dict):
            for name in ("recordedAt", "startedAt"):
                if type(item.get(name)) in (int, float):
                    item[name] += correction_ms


@dataclass(slots=True)
class _Sorted:
    """The good of a batch with their places in it, and what is wrong with the others."""

    metrics: list[Metric] = field(default_factory=list)
    runs: list[ScraperRun] = field(default_factory=list)
    places: list[int] = field(default_factory=list)  # of the metrics and then of the runs; none when all is as it came
    rejected: list[dict[str, Any]] = field(default_factory=list)


def _sort_out(items: list[Any], moment_ms: int) -> _Sorted:
    try:
        return _Sorted([from_wire(item, now_ms=moment_ms) for item in items])  # metrics, as good as always
    except InvalidMetric:
        found = _Sorted()
        run_places: list[int] = []
        for index, item in enumerate(items):
            try:
                event = event_from_wire(item, now_ms=moment_ms)
            except InvalidMetric as exc:
                found.rejected.append({"index": index, "field": exc.field, "message": exc.message})
                continue
            if isinstance(event, ScraperRun):
                found.runs.append(event)
                run_places.append(index)
            else:
                found.metrics.append(event)
                found.places.append(index)
        found.places += run_places
        return found


def _deliver(sink: Sink, envelope: Envelope, moment_ms: int) -> tuple[Response, int]:
    """Store what is good; returns the answer, and how many are stored now."""
    found = _sort_out(envelope.items, moment_ms)
    rejected = found.rejected
    accepted, duplicate = 0, False
    # A collector that has nothing to tell but how it is needs no batch id to be remembered.
    idle = not envelope.items and (envelope.report is not None or envelope.report_problem is not None)
    if (found.metrics or found.runs or not rejected) and not idle:
        try:
            delivery = sink.send(Batch(envelope.batch_id, tuple(found.metrics), tuple(found.runs)))
        except SinkUnavailable as exc:
            answer = problem(503, f"nowhere to put it at the moment, send the same batch again: {exc.reason}")
            answer.headers["Retry-After"] = str(max(1, round(exc.retry_after_s or 1)))
            return answer, 0
        except SinkRefused as exc:
            return problem(400, exc.reason), 0
        accepted, duplicate = delivery.accepted, delivery.duplicate
        for no in delivery.rejected:
            index = found.places[no.index] if found.places else no.index
            rejected.append({"index": index, "field": no.field, "message": no.message})
    said: dict[str, Any] = {"accepted": accepted, "duplicate": duplicate}
    if envelope.report_problem is not None:
        said["collector"] = {"rejected": envelope.report_problem}
    if rejected and not duplicate:
        rejected.sort(key=lambda item: int(item["index"]))
        return json_answer(422, {**said, "rejected": rejected}), accepted
    return json_answer(202, said), accepted
