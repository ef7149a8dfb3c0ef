"""The messages of the public channel `/ws/metrics`: what clients may say, and how answers and batches look."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from collector.events import Event, SchedulerRun, to_wire
from collector.run_events import ScraperRun
from live.frames import to_json

PROTOCOL_VERSION = 1
HEARTBEAT_INTERVAL_MS = 30_000
MAX_MESSAGE_BYTES = 64 * 1024
MAX_BATCH = 100
MAX_SUBSCRIPTIONS = 1_000  # a client; "*" needs one
EVERYTHING = "*"
MAX_SOURCE_CHARS = 64  # 50 for a source, and the prefix of a scheduler's or of a run's


class RequestError(Exception):
    """A client's message can't be understood; `code` is for programs, `message` says what to send instead."""

    def __init__(self, code: str, message: str, correlation_id: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.correlation_id = correlation_id


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """One understood message of a client."""

    type: str
    source: str | None
    since: int | None
    correlation_id: Any


def now_ms() -> int:
    """Return the wall clock in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def parse_request(text: str) -> ClientRequest:
    """Understand one message of a client.

    Args:
        text: the whole text message.

    Returns:
        The request.

    Raises:
        RequestError: it is no JSON object, has an unknown type, or lacks its source.
    """
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        raise RequestError("bad_json", f"not JSON: {exc}") from exc
    if not isinstance(message, dict):
        raise RequestError("bad_message", "a message is a JSON object with a type")
    correlation_id = message.get("correlationId")
    if isinstance(correlation_id, (dict, list)):  # what is nested too deeply can be read, but not be said again
        raise RequestError("bad_correlation_id", "correlationId must be a text, a number or true or false")
    kind = message.get("type")
    if kind in ("subscribe", "unsubscribe"):
        source = message.get("scraperSource")
        source = source.strip() if isinstance(source, str) else ""
        if not 1 <= len(source) <= MAX_SOURCE_CHARS:
            raise RequestError("bad_source", 'scraperSource must be a source\'s name or "*"', correlation_id)
        since = message.get("since")
        if since is not None and (not isinstance(since, int) or isinstance(since, bool) or since < 0):
            raise RequestError("bad_since", "since must be a whole number, a seq received before", correlation_id)
        return ClientRequest(kind, source, since, correlation_id)
    if kind in ("status", "ping", "heartbeat"):
        return ClientRequest(kind, None, None, correlation_id)
    raise RequestError("unknown_type", "type must be subscribe, unsubscribe, status, ping or heartbeat", correlation_id)


def answer(kind: str, fields: Mapping[str, Any] | None = None, *, correlation_id: Any = None) -> bytes:
    """Encode one message of the server: `type`, its fields, `timestamp` and the request's `correlationId`."""
    message: dict[str, Any] = {"type": kind, **(fields or {}), "timestamp": now_ms()}
    if correlation_id is not None:
        message["correlationId"] = correlation_id
    return to_json(message)


def topic(event: Event) -> str:
    """Return the source that an event travels on: its scraper's name, `scheduler:<name>` or `run:<name>`."""
    if isinstance(event, SchedulerRun):
        return f"scheduler:{event.scheduler_name}"
    return f"run:{event.name}" if isinstance(event, ScraperRun) else event.scraper_source


def batch(source: str, seq: int, metrics: Sequence[Event]) -> bytes:
    """Encode one `metrics_batch` of SPEC section 5."""
    return batch_of(source, seq, len(metrics), now_ms(), [to_wire(metric) for metric in metrics])


def batch_of(source: str, seq: int, count: int, timestamp_ms: int, metrics: Any) -> bytes:
    """Encode one `metrics_batch` whose metrics are encoded already, as an `orjson.Fragment` or a list of wire forms."""
    return to_json(
        {
            "type": "metrics_batch",
            "scraperSource": source,
            "count": count,
            "seq": seq,
            "timestamp": timestamp_ms,
            "metrics": metrics,
        }
    )
