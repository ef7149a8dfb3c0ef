"""Queue entries: what a record call leaves behind, as raw as possible, and how the worker makes metrics of it."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any

from collector import fields
from collector.coverage import count_fields
from collector.errors import InvalidMetric
from collector.events import Event, make_navigation, make_scheduler_run, make_scrape
from collector.redact import HIDDEN, redact_text, redact_url
from collector.run_events import make_run

# (kind, when it was recorded in epoch seconds, the arguments of the record call in their order)
Entry = tuple[Any, ...]
Redact = Callable[[str], str]

NAVIGATION = 0
SCRAPE = 1
SCHEDULER = 2
RUN = 3
_PAGE_URL = 3
_PAGE_ERROR = 7  # in both kinds
_PAGE_LABELS = (11, 12)  # of a navigation, of a scrape
_SCRAPE_FIELDS = 13
_RUN_ERROR = 6

# Longer URLs are cut before they are queued (data: URLs may have megabytes), and to MAX_URL_CHARS after redaction.
MAX_QUEUED_URL_CHARS = 4 * fields.MAX_URL_CHARS

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)


def to_event(entry: Entry, redact: Redact | None = None) -> Event:
    """Make the metric of a queue entry, or what it tells of a run: redact, convert, check.

    Args:
        entry: As a record call queued it.
        redact: The user's own redaction of URLs and error texts, after ours.

    Raises:
        InvalidMetric: One of its fields is wrong.
    """
    try:
        return _MAKERS[entry[0]](entry, redact)
    except InvalidMetric:
        raise
    except Exception as exc:  # an object of a foreign type: whatever its methods raise, it is no valid value
        raise InvalidMetric("metric", f"a value can't be read: {type(exc).__name__}") from exc


def make_safe(entry: Entry) -> Entry:
    """Make an entry that may wait in the queue: small, and independent of what the caller does later.

    Args:
        entry: With an `error`, `labels` or a `url` that may be mutable, huge or of a wrong type.

    Returns:
        The same with the url and the error cut, an exception turned into text, and the labels copied. What is wrong
        stays wrong, for the check to refuse.
    """
    fixed = list(entry)
    if entry[0] == SCHEDULER:
        fixed[_RUN_ERROR] = _describe_error(entry[_RUN_ERROR])
    else:
        fixed[_PAGE_URL] = _cut(entry[_PAGE_URL], MAX_QUEUED_URL_CHARS)
        fixed[_PAGE_ERROR] = _describe_error(entry[_PAGE_ERROR])
        place = _PAGE_LABELS[entry[0]]
        fixed[place] = _copy_pairs(entry[place], fields.MAX_LABELS)
        if entry[0] == SCRAPE:
            fixed[_SCRAPE_FIELDS] = _copy_pairs(entry[_SCRAPE_FIELDS], fields.MAX_FIELDS)
    return tuple(fixed)


def count_in(items: Collection[object], named: Mapping[str, int] | Iterable[str] | None) -> tuple[object, object]:
    """Count items and their fields, whatever they are.

    Args:
        items: A collection; anything else isn't touched.
        named: Fields to count in any case, or counts that overrule.

    Returns:
        (number of items, counts by field or None); where it can't be done, what the check refuses.
    """
    try:
        if isinstance(items, str | bytes | bytearray | Mapping) or not isinstance(items, Collection):
            return fields.Unreadable(f"items that are no list but {type(items).__name__}"), None
        overruling = named if isinstance(named, Mapping) else {}
        counted = count_fields(items, named or ())
        return len(items), {**(counted or {}), **overruling} or None
    except Exception as exc:  # noqa: BLE001 - somebody's items may raise anything
        return fields.Unreadable(f"items that can't be counted: {type(exc).__name__}"), None


def describe_exception(exc: BaseException) -> str:
    """Say in one text what an exception is: `Type: text`; its text may raise, its type doesn't."""
    kind = type(exc).__name__
    try:
        text = str(exc)
    except Exception:  # noqa: BLE001 - somebody's __str__ may raise anything; the type's name must do then
        return kind
    return f"{kind}: {text}"[: fields.MAX_ERROR_CHARS] if text else kind


def _describe_error(error: object) -> object:
    # `type`, not `isinstance`: that asks the object, too, and a foreign one may raise whatever it likes.
    if issubclass(type(error), BaseException):
        return describe_exception(error)  # type: ignore[arg-type] # it is one
    return _cut(error, fields.MAX_ERROR_CHARS)


def _cut(text: object, most_chars: int) -> object:
    if issubclass(type(text), str):
        return text[:most_chars]  # type: ignore[index] # it is one
    return text if text is None else fields.Unreadable(type(text).__name__)


def _copy_pairs(pairs: Any, most: int) -> object:
    if pairs is None:
        return None
    if type(pairs) is dict and len(pairs) <= most:
        return pairs.copy()
    try:  # one pair more than is allowed: enough to be refused, not enough to fill the memory
        return dict(islice(pairs.items(), most + 1))
    except Exception:  # noqa: BLE001 - what isn't a mapping, or a foreign one that raises whatever it likes
        return fields.Unreadable(type(pairs).__name__)


def _navigation(entry: Entry, redact: Redact | None) -> Event:
    (_, recorded_s, source, url, duration_ms, success, retries, error, status, recorded_at, run_id, labels) = entry
    return make_navigation(
        source,
        _redacted(url, redact_url, redact),
        duration_ms,
        success,
        retries,
        None if error is None else _redacted(error, redact_text, redact),
        status,
        None if recorded_at is None else _epoch_ms(recorded_at),
        run_id,
        labels,
        now_ms=int(recorded_s * 1000),
    )


def _scrape(entry: Entry, redact: Redact | None) -> Event:
    (_, recorded_s, source, url, duration_ms, items, success, error, size, outcome, recorded_at, run_id, labels, by) = (
        entry
    )
    return make_scrape(
        source,
        _redacted(url, redact_url, redact),
        duration_ms,
        items,
        success,
        None if error is None else _redacted(error, redact_text, redact),
        size,
        outcome,
        None if recorded_at is None else _epoch_ms(recorded_at),
        run_id,
        labels,
        by,
        now_ms=int(recorded_s * 1000),
    )


def _scheduler(entry: Entry, redact: Redact | None) -> Event:
    (_, recorded_s, name, duration_ms, success, items, error, source, recorded_at, run_id) = entry
    return make_scheduler_run(
        name,
        duration_ms,
        success,
        items,
        None if error is None else _redacted(error, redact_text, redact),
        source,
        None if recorded_at is None else _epoch_ms(recorded_at),
        run_id,
        now_ms=int(recorded_s * 1000),
    )


def _epoch_ms(moment: object) -> object:
    """Convert what `recorded_at` accepts: a datetime (a naive one is UTC), or epoch milliseconds with a fraction."""
    if isinstance(moment, datetime):
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=_EPOCH.tzinfo)
        return (aware - _EPOCH) // _MILLISECOND
    if isinstance(moment, float) and fields.EARLIEST_MS <= moment < 2**53:
        return int(moment)
    return moment


def _run(entry: Entry, redact: Redact | None) -> Event:
    (_, recorded_s, name, run_id, source, state, started_s, items, expected, interval_s, error) = entry
    now_ms = int(recorded_s * 1000)
    return make_run(
        name,
        run_id,
        source,
        state,
        int(started_s * 1000),
        now_ms,
        items() if callable(items) else items,
        expected,
        int(interval_s * 1000),
        None if error is None else _redacted(error, redact_text, redact),
        now_ms=now_ms,
    )


def _redacted(text: object, ours: Redact, theirs: Redact | None) -> object:
    """Redact a text; where the user's own function fails, nothing of it may leave."""
    if not isinstance(text, str):
        return text
    kept = ours(text)
    if theirs is not None:
        try:
            kept = theirs(kept)
        except Exception:  # noqa: BLE001 - somebody's function may raise anything
            return HIDDEN
        if not isinstance(kept, str):
            return HIDDEN
    return kept


_MAKERS: tuple[Callable[[Entry, Redact | None], Event], ...] = (_navigation, _scrape, _scheduler, _run)
