"""Writes metrics as JSON text directly: the bulk of what a collector's threads do, for a sixth of what `json` takes."""

import json
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring as quote

from collector.events import Event, PageNavigation, PageScrape, to_wire
from collector.fields import MAX_DURATION_MS

_SEPARATORS = (",", ":")
_STATUS, _SIZE, _OUTCOME, _RUN = (f',"{key}":%s' for key in ("statusCode", "dataSize", "outcome", "runId"))


def event_text(event: Event) -> str:
    """Write an event: what `dumps(to_wire(event))` gives, to the letter.

    Args:
        event: Any metric, or what is told about a run.

    Raises:
        ValueError: A number is none that JSON has.
        TypeError: A value is of a type that JSON hasn't.
    """
    try:
        if isinstance(event, PageNavigation):
            return _navigation(event)
        if isinstance(event, PageScrape):
            return _scrape(event)
    except (TypeError, ValueError):  # made by hand, of other types than the checks let pass: json knows what to do
        return dumps(to_wire(event))
    return dumps(to_wire(event))  # of jobs and runs there are few


def dumps(value: object) -> str:
    """Write a JSON value as short as can be.

    Args:
        value: Dicts, lists, texts, numbers, truth values and None.

    Raises:
        ValueError: A number is none that JSON has.
        TypeError: A value is of a type that JSON hasn't.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=_SEPARATORS)


_quoted = lru_cache(maxsize=1024)(quote)  # names of fields and labels, sources and runs: the same few again and again


def _navigation(event: PageNavigation) -> str:
    duration_ms, retries, moment_ms = event.navigation_duration_ms, event.retry_count, event.recorded_at_ms
    error, status, run_id = event.error, event.status_code, event.run_id
    _check(duration_ms, event.success, retries, moment_ms, 0 if status is None else status)
    return (
        f'{{"type":"page_navigation","scraperSource":{_quoted(event.scraper_source)},"url":{quote(event.url)}'
        f',"navigationDurationMs":{duration_ms},"retryCount":{retries},"success":{"true" if event.success else "false"}'
        f',"error":{"null" if error is None else quote(error)},"recordedAt":{moment_ms}'
        f"{'' if status is None else _STATUS % status}"
        f"{'' if run_id is None else _RUN % _quoted(run_id)}{'' if event.labels is None else _labels(event.labels)}}}"
    )


def _scrape(event: PageScrape) -> str:
    duration_ms, items, moment_ms = event.scrape_duration_ms, event.items_extracted, event.recorded_at_ms
    error, size, outcome, run_id = event.error, event.data_size, event.outcome, event.run_id
    _check(duration_ms, event.success, items, moment_ms, 0 if size is None else size)
    return (
        f'{{"type":"page_scrape","scraperSource":{_quoted(event.scraper_source)},"url":{quote(event.url)}'
        f',"scrapeDurationMs":{duration_ms},"itemsExtracted":{items},"success":{"true" if event.success else "false"}'
        f',"error":{"null" if error is None else quote(error)},"recordedAt":{moment_ms}'
        f"{'' if size is None else _SIZE % size}{'' if outcome is None else _OUTCOME % _quoted(outcome)}"
        f"{'' if event.fields is None else _counts(event.fields)}"
        f"{'' if run_id is None else _RUN % _quoted(run_id)}{'' if event.labels is None else _labels(event.labels)}}}"
    )


def _check(duration_ms: object, success: object, count: object, moment_ms: object, optional: object) -> None:
    """Refuse what Python writes otherwise than JSON does; for texts `quote` does so."""
    kind = type(duration_ms)
    if not (
        (kind is float or kind is int)
        and 0 <= duration_ms <= MAX_DURATION_MS  # type: ignore[operator] # a number; no NaN, no infinity
        and (success is True or success is False)
        and type(count) is type(moment_ms) is type(optional) is int
    ):
        raise TypeError


def _counts(counts: Mapping[str, int]) -> str:
    values = tuple(counts.values())
    if values and set(map(type, values)) != {int}:
        raise TypeError
    return _counts_form(tuple(counts)) % values


@lru_cache(maxsize=256)
def _counts_form(names: tuple[str, ...]) -> str:
    """Write the fields of a scraper's items, with a place for each count: scrapes of one page after the other."""
    pairs = ",".join([f"{quote(name).replace('%', '%%')}:%d" for name in names])
    return f',"fields":{{{pairs}}}'


def _labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join([f"{_quoted(name)}:{quote(text)}" for name, text in labels.items()])
    return f',"labels":{{{pairs}}}'
