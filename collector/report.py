"""A collector's report about itself: what it tells the app beside its batches, under the key `collector`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from collector import fields
from collector.errors import InvalidMetric

MAX_ID_CHARS = 64
MAX_TEXT_CHARS = 200
MAX_REASONS = 32
_MAX_INTERVAL_S = 86_400


@dataclass(frozen=True, slots=True)
class CollectorReport:
    """How one process's collector is doing; counters run since the process began.

    `recorded + adopted == flushed + dropped + pending` when it is made.

    Args:
        collector_id: Of this process, new after a fork, 1-64 characters.
        host: The machine's name.
        pid: Its process id.
        name: What the program calls itself (`configure(name=...)`), else its script's name.
        version: The collector's version.
        python: Python's version.
        started_at_ms: When it began, epoch milliseconds by its own clock.
        sent_at_ms: When this was sent, epoch milliseconds by its own clock: what the app compares its own with.
        recorded: Metrics that record calls were given.
        flushed: Metrics delivered.
        pending: Metrics that wait: in memory, on their way, or in this process's spool.
        dropped: Metrics lost, by reason.
        adopted: Metrics taken over from the spools of processes that are gone.
        spool_bytes: Size of this process's spool, in bytes.
        spool_metrics: Metrics in it.
        last_flush_at_ms: When a batch was delivered last, epoch milliseconds; None before the first.
        last_error: What went wrong last, in one line; None when nothing did.
        interval_s: Within how many seconds the next report comes, if the process lives.
    """

    collector_id: str
    host: str
    pid: int
    name: str
    version: str
    python: str
    started_at_ms: int
    sent_at_ms: int
    recorded: int
    flushed: int
    pending: int
    dropped: Mapping[str, int]
    adopted: int
    spool_bytes: int
    spool_metrics: int
    last_flush_at_ms: int | None
    last_error: str | None
    interval_s: float


def report_to_wire(report: CollectorReport) -> dict[str, Any]:
    """Give it the form in which it travels."""
    return {
        "id": report.collector_id,
        "host": report.host,
        "pid": report.pid,
        "name": report.name,
        "version": report.version,
        "python": report.python,
        "startedAt": report.started_at_ms,
        "sentAt": report.sent_at_ms,
        "recorded": report.recorded,
        "flushed": report.flushed,
        "pending": report.pending,
        "dropped": dict(report.dropped),
        "adopted": report.adopted,
        "spoolBytes": report.spool_bytes,
        "spoolMetrics": report.spool_metrics,
        "lastFlushAt": report.last_flush_at_ms,
        "lastError": report.last_error,
        "intervalS": report.interval_s,
    }


def report_from_wire(obj: object) -> CollectorReport:
    """Check a report that came from outside and make it a value.

    Moments are only checked for being whole numbers: a clock that is years off is what a report must be able to say.

    Args:
        obj: What the JSON decoder gave for the key `collector`.

    Returns:
        The report; texts are cut to 200 characters, keys that it doesn't know are ignored.

    Raises:
        InvalidMetric: A field is missing or wrong: `collector.<wire name>`. Its batch's metrics are as good as before.
    """
    if not isinstance(obj, dict):
        raise InvalidMetric("collector", f"must be an object, got {type(obj).__name__}")
    get = obj.get
    return CollectorReport(
        collector_id=_identity(get("id")),
        host=_text(get("host"), "host"),
        pid=_count(get("pid", 0), "pid"),
        name=_text(get("name"), "name"),
        version=_text(get("version"), "version"),
        python=_text(get("python"), "python"),
        started_at_ms=_count(get("startedAt"), "startedAt"),
        sent_at_ms=_count(get("sentAt"), "sentAt"),
        recorded=_count(get("recorded", 0), "recorded"),
        flushed=_count(get("flushed", 0), "flushed"),
        pending=_count(get("pending", 0), "pending"),
        dropped=_reasons(get("dropped")),
        adopted=_count(get("adopted", 0), "adopted"),
        spool_bytes=_count(get("spoolBytes", 0), "spoolBytes"),
        spool_metrics=_count(get("spoolMetrics", 0), "spoolMetrics"),
        last_flush_at_ms=None if get("lastFlushAt") is None else _count(get("lastFlushAt"), "lastFlushAt"),
        last_error=None if get("lastError") is None else _text(get("lastError"), "lastError"),
        interval_s=_interval_s(get("intervalS", 30)),
    )


def _identity(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value.strip()) <= MAX_ID_CHARS:
        raise InvalidMetric("collector.id", f"must be a printable string of 1 to {MAX_ID_CHARS} characters")
    return value.strip()


def _text(value: object, field: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidMetric(f"collector.{field}", f"must be a string, got {type(value).__name__}")
    return fields.clean(value[:MAX_TEXT_CHARS]).strip()


def _count(value: object, field: str) -> int:
    return fields.count(value, f"collector.{field}", fields.MAX_BYTES)


def _reasons(value: object) -> dict[str, int]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or len(value) > MAX_REASONS:
        raise InvalidMetric("collector.dropped", f"must be an object of at most {MAX_REASONS} counts by reason")
    return {_text(reason, "dropped") or "unknown": _count(count, "dropped") for reason, count in value.items()}


def _interval_s(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _MAX_INTERVAL_S:
        raise InvalidMetric("collector.intervalS", f"must be a number of seconds, up to {_MAX_INTERVAL_S}")
    return float(value)
