"""The three kinds of metric as frozen values, and their form on the wire (SPEC section 5)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, make_dataclass
from dataclasses import fields as dataclass_fields
from typing import Any

from collector import fields
from collector.errors import InvalidMetric
from collector.run_events import ScraperRun, read_run, run_to_wire


@dataclass(frozen=True, slots=True)
class PageNavigation:
    """One attempt-with-retries to load a page.

    Args:
        scraper_source: Name of the scraper, 1-50 characters.
        url: The page, at most 2048 characters, without credentials.
        navigation_duration_ms: All attempts together, in milliseconds, 0 to seven days.
        success: Whether the page was loaded in the end.
        retry_count: Attempts after the first.
        error: Why it failed, at most 4000 characters.
        status_code: HTTP status of the last answer, 100-599.
        recorded_at_ms: When it was recorded, epoch milliseconds UTC.
        run_id: The run that it belongs to, at most 64 characters.
        labels: At most 16 pairs of strings; never changed after construction.
    """

    scraper_source: str
    url: str
    navigation_duration_ms: int | float
    success: bool
    retry_count: int
    error: str | None
    status_code: int | None
    recorded_at_ms: int
    run_id: str | None = None
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class PageScrape:
    """One extraction from a loaded page.

    Args:
        scraper_source: Name of the scraper, 1-50 characters.
        url: The page, at most 2048 characters, without credentials.
        scrape_duration_ms: In milliseconds, 0 to seven days.
        items_extracted: How many items came out.
        success: Whether the extraction worked.
        error: Why it failed, at most 4000 characters.
        data_size: Size of what was extracted or read, in bytes.
        outcome: `ok`, `empty`, `blocked`, `parse_error`, `network`, ..., at most 20 characters.
        recorded_at_ms: When it was recorded, epoch milliseconds UTC.
        run_id: The run that it belongs to, at most 64 characters.
        labels: At most 16 pairs of strings; never changed after construction.
        fields: By field of the items (`price`), how many of them have a usable value: 0 to `items_extracted`; at most
            50 names of 1-64 characters; never changed after construction.
    """

    scraper_source: str
    url: str
    scrape_duration_ms: int | float
    items_extracted: int
    success: bool
    error: str | None
    data_size: int | None
    outcome: str | None
    recorded_at_ms: int
    run_id: str | None = None
    labels: Mapping[str, str] | None = None
    fields: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class SchedulerRun:
    """One execution of a named scheduler job.

    Args:
        scheduler_name: Name of the job, 1-50 characters.
        execution_duration_ms: In milliseconds, 0 to seven days.
        success: Whether the job ended without an error.
        items_processed: How many items it handled.
        error: Why it failed, at most 4000 characters.
        scraper_source: The scraper that it drove, if it drove one.
        recorded_at_ms: When it was recorded, epoch milliseconds UTC.
        run_id: The run that it belongs to, at most 64 characters.
    """

    scheduler_name: str
    execution_duration_ms: int | float
    success: bool
    items_processed: int
    error: str | None
    scraper_source: str | None
    recorded_at_ms: int
    run_id: str | None = None


Metric = PageNavigation | PageScrape | SchedulerRun
Event = Metric | ScraperRun  # what may stand in the `metrics` of a body: a run is told about, not measured


def _maker(kind: type[Any]) -> Callable[..., Any]:
    """Return a quick way to make values of a frozen class: half of a metric's validation was its own constructor.

    A frozen dataclass sets its fields by a call for each. So a twin that isn't frozen is made, and becomes one.
    """
    twin: Any = make_dataclass(f"_{kind.__name__}", [(field.name, Any) for field in dataclass_fields(kind)], slots=True)

    def make(*values: object) -> Any:
        made = twin(*values)
        made.__class__ = kind
        return made

    return make


_navigation: Callable[..., PageNavigation] = _maker(PageNavigation)
_scrape: Callable[..., PageScrape] = _maker(PageScrape)


def to_wire(metric: Event) -> dict[str, Any]:
    """Give a metric the form in which it travels: camelCase keys in the order of SPEC section 5.

    Args:
        metric: Any metric, or what is told about a run.

    Returns:
        A new dict of JSON values. The keys of the SPEC are always there; `statusCode`, `dataSize`, `outcome`, `fields`,
        `scraperSource` of a scheduler run, `runId` and `labels` only when they are set.
    """
    if isinstance(metric, PageNavigation):
        wire: dict[str, Any] = {
            "type": "page_navigation",
            "scraperSource": metric.scraper_source,
            "url": metric.url,
            "navigationDurationMs": metric.navigation_duration_ms,
            "retryCount": metric.retry_count,
            "success": metric.success,
            "error": metric.error,
            "recordedAt": metric.recorded_at_ms,
        }
        if metric.status_code is not None:
            wire["statusCode"] = metric.status_code
    elif isinstance(metric, PageScrape):
        wire = {
            "type": "page_scrape",
            "scraperSource": metric.scraper_source,
            "url": metric.url,
            "scrapeDurationMs": metric.scrape_duration_ms,
            "itemsExtracted": metric.items_extracted,
            "success": metric.success,
            "error": metric.error,
            "recordedAt": metric.recorded_at_ms,
        }
        if metric.data_size is not None:
            wire["dataSize"] = metric.data_size
        if metric.outcome is not None:
            wire["outcome"] = metric.outcome
        if metric.fields is not None:
            wire["fields"] = dict(metric.fields)
    elif isinstance(metric, ScraperRun):
        return run_to_wire(metric)
    else:
        wire = {
            "type": "scheduler",
            "schedulerName": metric.scheduler_name,
            "executionDurationMs": metric.execution_duration_ms,
            "itemsProcessed": metric.items_processed,
            "success": metric.success,
            "error": metric.error,
            "recordedAt": metric.recorded_at_ms,
        }
        if metric.scraper_source is not None:
            wire["scraperSource"] = metric.scraper_source
        if metric.run_id is not None:
            wire["runId"] = metric.run_id
        return wire
    if metric.run_id is not None:
        wire["runId"] = metric.run_id
    if metric.labels is not None:
        wire["labels"] = dict(metric.labels)
    return wire


def from_wire(obj: object, *, now_ms: int) -> Metric:
    """Check a metric that came from outside and make it a value.

    The one validator of the program: for `POST /api/ingest` and for the collector's own calls.
    Keys that it doesn't know are ignored, so that a newer collector can talk to an older app.

    Args:
        obj: What the JSON decoder gave.
        now_ms: The present in epoch milliseconds UTC: the default of `recordedAt`, and its bound (a day later).

    Returns:
        The metric. Names are stripped, `url` is cut to 2048 and `error` to 4000 characters, lone surrogates and NUL
        are replaced by U+FFFD; blank `outcome` and `runId` and empty `labels` become None.

    Raises:
        InvalidMetric: A field is missing or wrong; carries the field's wire name and what is accepted there.
    """
    if not isinstance(obj, dict):
        raise InvalidMetric("metric", f"must be an object, got {type(obj).__name__}")
    kind = obj.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise InvalidMetric("type", "must be page_navigation, page_scrape or scheduler")
    return reader(obj, now_ms)


def event_from_wire(obj: object, *, now_ms: int) -> Event:
    """Check a metric, or what is told about a run (`"type": "run"`), and make it a value; else as `from_wire`.

    Args:
        obj: What the JSON decoder gave.
        now_ms: The present in epoch milliseconds UTC.

    Returns:
        The metric, or the `ScraperRun`.

    Raises:
        InvalidMetric: A field is missing or wrong.
    """
    if isinstance(obj, dict) and obj.get("type") == "run":
        return read_run(obj, now_ms)
    return from_wire(obj, now_ms=now_ms)


def make_navigation(
    scraper_source: object,
    url: object,
    navigation_duration_ms: object,
    success: object,
    retry_count: object,
    error: object,
    status_code: object,
    recorded_at_ms: object,
    run_id: object,
    labels: object,
    *,
    now_ms: int,
) -> PageNavigation:
    """Check the fields of a page navigation and make it; as `from_wire`, which says what is accepted."""
    # What nearly all metrics have is let through here: a call for each would take as long as all the rest.
    return _navigation(
        fields.name(scraper_source, "scraperSource"),
        fields.url(url),
        fields.duration_ms(navigation_duration_ms, "navigationDurationMs"),
        success if success is True else fields.flag(success, "success"),
        0 if type(retry_count) is int and retry_count == 0 else fields.count(retry_count, "retryCount"),
        None if error is None else fields.error_text(error),
        None if status_code is None else fields.status_code(status_code),
        now_ms if recorded_at_ms is None else fields.recorded_at_ms(recorded_at_ms, now_ms=now_ms),
        None if run_id is None else fields.short_text(run_id, "runId", fields.MAX_RUN_ID_CHARS),
        None if labels is None else fields.labels(labels),
    )


def make_scrape(
    scraper_source: object,
    url: object,
    scrape_duration_ms: object,
    items_extracted: object,
    success: object,
    error: object,
    data_size: object,
    outcome: object,
    recorded_at_ms: object,
    run_id: object,
    labels: object,
    field_counts: object,
    *,
    now_ms: int,
) -> PageScrape:
    """Check the fields of a page scrape and make it; as `from_wire`, which says what is accepted."""
    items = fields.count(items_extracted, "itemsExtracted")
    return _scrape(
        fields.name(scraper_source, "scraperSource"),
        fields.url(url),
        fields.duration_ms(scrape_duration_ms, "scrapeDurationMs"),
        items,
        success if success is True else fields.flag(success, "success"),
        None if error is None else fields.error_text(error),
        None if data_size is None else fields.count(data_size, "dataSize", fields.MAX_BYTES),
        None if outcome is None else fields.short_text(outcome, "outcome", fields.MAX_OUTCOME_CHARS),
        now_ms if recorded_at_ms is None else fields.recorded_at_ms(recorded_at_ms, now_ms=now_ms),
        None if run_id is None else fields.short_text(run_id, "runId", fields.MAX_RUN_ID_CHARS),
        None if labels is None else fields.labels(labels),
        None if field_counts is None else fields.field_counts(field_counts, items=items),
    )


def make_scheduler_run(
    scheduler_name: object,
    execution_duration_ms: object,
    success: object,
    items_processed: object,
    error: object,
    scraper_source: object,
    recorded_at_ms: object,
    run_id: object,
    *,
    now_ms: int,
) -> SchedulerRun:
    """Check the fields of a scheduler run and make it; as `from_wire`, which says what is accepted."""
    return SchedulerRun(
        fields.name(scheduler_name, "schedulerName"),
        fields.duration_ms(execution_duration_ms, "executionDurationMs"),
        fields.flag(success, "success"),
        fields.count(items_processed, "itemsProcessed"),
        None if error is None else fields.error_text(error),
        fields.optional_name(scraper_source, "scraperSource"),
        fields.recorded_at_ms(recorded_at_ms, now_ms=now_ms),
        None if run_id is None else fields.short_text(run_id, "runId", fields.MAX_RUN_ID_CHARS),
    )


def _read_navigation(obj: dict[str, Any], now_ms: int) -> PageNavigation:
    get = obj.get
    return make_navigation(
        get("scraperSource"),
        get("url"),
        get("navigationDurationMs"),
        get("success", True),
        get("retryCount", 0),
        get("error"),
        get("statusCode"),
        get("recordedAt"),
        get("runId"),
        get("labels"),
        now_ms=now_ms,
    )


def _read_scrape(obj: dict[str, Any], now_ms: int) -> PageScrape:
    get = obj.get
    return make_scrape(
        get("scraperSource"),
        get("url"),
        get("scrapeDurationMs"),
        get("itemsExtracted", 0),
        get("success", True),
        get("error"),
        get("dataSize"),
        get("outcome"),
        get("recordedAt"),
        get("runId"),
        get("labels"),
        get("fields"),
        now_ms=now_ms,
    )


def _read_scheduler(obj: dict[str, Any], now_ms: int) -> SchedulerRun:
    get = obj.get
    return make_scheduler_run(
        get("schedulerName"),
        get("executionDurationMs"),
        get("success", True),
        get("itemsProcessed", 0),
        get("error"),
        get("scraperSource"),
        get("recordedAt"),
        get("runId"),
        now_ms=now_ms,
    )


_READERS: dict[str, Callable[[dict[str, Any], int], Metric]] = {
    "page_navigation": _read_navigation,
    "page_scrape": _read_scrape,
    "scheduler": _read_scheduler,
}
