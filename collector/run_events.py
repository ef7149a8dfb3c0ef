"""What is told about a run (`collector.run`) as a frozen value, and its form on the wire."""

from dataclasses import dataclass
from typing import Any

from collector import fields
from collector.errors import InvalidMetric

RUNNING = "running"
OK = "ok"
FAILED = "failed"
KILLED = "killed"
STATES = (RUNNING, OK, FAILED, KILLED)
LOST = "lost"  # what the app says of a run that fell silent; no collector says so

MIN_HEARTBEAT_MS = 1000
MAX_HEARTBEAT_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class ScraperRun:
    """One run of a program at one moment: its beginning, a heartbeat, or its end.

    Who keeps it keeps one row for each `run_id`: the newest by `recorded_at_ms`, and an end for good.

    Args:
        name: What runs (`nightly`), 1-50 characters.
        run_id: Which run of that name, 1-64 characters; the `run_id` of the metrics recorded inside.
        scraper_source: The scraper that it is a run of, if it is of one.
        state: `running`, `ok`, `failed` (an exception, an exit code) or `killed` (a signal, Ctrl-C).
        started_at_ms: When it began, epoch milliseconds UTC.
        recorded_at_ms: When this was said, epoch milliseconds UTC.
        items_extracted: Items until now.
        expected_items: How many it should be in the end, if somebody said so.
        heartbeat_interval_ms: How often it says that it still runs, in milliseconds.
        error: Why it failed or was killed, at most 4000 characters.
    """

    name: str
    run_id: str
    scraper_source: str | None
    state: str
    started_at_ms: int
    recorded_at_ms: int
    items_extracted: int
    expected_items: int | None
    heartbeat_interval_ms: int
    error: str | None


def make_run(
    name: object,
    run_id: object,
    scraper_source: object,
    state: object,
    started_at_ms: object,
    recorded_at_ms: object,
    items_extracted: object,
    expected_items: object,
    heartbeat_interval_ms: object,
    error: object,
    *,
    now_ms: int,
    states: tuple[str, ...] = STATES,
) -> ScraperRun:
    """Check what is told about a run and make it; it is in one of `states`.

    Raises:
        InvalidMetric: A field is missing or wrong; carries its wire name and what is accepted there.
    """
    identity = fields.short_text(run_id, "runId", fields.MAX_RUN_ID_CHARS)
    if identity is None:
        raise InvalidMetric("runId", f"must be a string of 1 to {fields.MAX_RUN_ID_CHARS} characters")
    if not isinstance(state, str) or state not in states:
        raise InvalidMetric("state", f"must be one of {', '.join(states)}")
    interval_ms = fields.count(heartbeat_interval_ms, "heartbeatIntervalMs", MAX_HEARTBEAT_MS)
    if interval_ms < MIN_HEARTBEAT_MS:
        raise InvalidMetric(
            "heartbeatIntervalMs", f"must be {MIN_HEARTBEAT_MS} to {MAX_HEARTBEAT_MS}, got {interval_ms}"
        )
    return ScraperRun(
        fields.name(name, "name"),
        identity,
        fields.optional_name(scraper_source, "scraperSource"),
        str(state),
        fields.recorded_at_ms(started_at_ms, now_ms=now_ms, field="startedAt"),
        fields.recorded_at_ms(recorded_at_ms, now_ms=now_ms),
        fields.count(items_extracted, "itemsExtracted"),
        fields.optional_count(expected_items, "expectedItems"),
        interval_ms,
        None if error is None else fields.error_text(error),
    )


def run_to_wire(run: ScraperRun) -> dict[str, Any]:
    """Give it the form in which it travels; every key is always there."""
    return {
        "type": "run",
        "name": run.name,
        "runId": run.run_id,
        "scraperSource": run.scraper_source,
        "state": run.state,
        "startedAt": run.started_at_ms,
        "recordedAt": run.recorded_at_ms,
        "itemsExtracted": run.items_extracted,
        "expectedItems": run.expected_items,
        "heartbeatIntervalMs": run.heartbeat_interval_ms,
        "error": run.error,
    }


def read_run(obj: dict[str, Any], now_ms: int, *, states: tuple[str, ...] = STATES) -> ScraperRun:
    """Check a run's object that came from outside; `startedAt` and `recordedAt` are the present when they are missing.

    Args:
        obj: What the JSON decoder gave.
        now_ms: The present in epoch milliseconds UTC.
        states: What it may say; an app's own messages say `lost`, too.

    Raises:
        InvalidMetric: A field is missing or wrong.
    """
    get = obj.get
    return make_run(
        get("name"),
        get("runId"),
        get("scraperSource"),
        get("state"),
        get("startedAt"),
        get("recordedAt"),
        get("itemsExtracted", 0),
        get("expectedItems"),
        get("heartbeatIntervalMs", 30_000),
        get("error"),
        now_ms=now_ms,
        states=states,
    )
