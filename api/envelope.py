"""What comes around the metrics of a batch: its id, a collector's report, and the moment by the sender's clock."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import orjson

from collector.errors import InvalidMetric
from collector.report import MAX_ID_CHARS, CollectorReport, report_from_wire

MAX_BATCH_ID_CHARS: Final = 64
_MOST_MS: Final = 1 << 53


@dataclass(frozen=True, slots=True)
class Envelope:
    """A body of `POST /api/ingest`.

    Args:
        batch_id: The batch's.
        items: Its metrics and messages about runs, as they came.
        report: What the sender's collector says of itself, if it does.
        report_problem: Why its report isn't taken, if it isn't; that costs the metrics nothing.
        collector_id: Whose batch it is, if that is said.
        sent_ms: When it was sent by the sender's own clock, epoch ms, if that is said.
    """

    batch_id: str
    items: list[Any]
    report: CollectorReport | None = None
    report_problem: dict[str, str] | None = None
    collector_id: str | None = None
    sent_ms: int | None = None


def open_envelope(body: bytes) -> Envelope:
    """Read a body.

    Args:
        body: As it came.

    Raises:
        ValueError: It is no batch; says what one looks like.
    """
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
    collector_id, sent_ms = _identity(message.get("collectorId")), _moment(message.get("sentAt"))
    if "collector" not in message:
        return Envelope(batch_id, items, collector_id=collector_id, sent_ms=sent_ms)
    try:
        report = report_from_wire(message["collector"])
    except (InvalidMetric, ValueError, OverflowError) as exc:
        field = exc.field if isinstance(exc, InvalidMetric) else "collector"
        said = exc.message if isinstance(exc, InvalidMetric) else str(exc)[:200]
        return Envelope(batch_id, items, None, {"field": field, "message": said}, collector_id, sent_ms)
    return Envelope(batch_id, items, report, None, report.collector_id, report.sent_at_ms)


def _identity(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARS and value.isprintable() else None


def _moment(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < _MOST_MS else None
