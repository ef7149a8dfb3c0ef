"""Checks of single metric fields: each returns the value to keep, or raises `InvalidMetric`."""

import numbers
import operator
import re
from collections.abc import Mapping
from functools import lru_cache

from collector.errors import InvalidMetric

MAX_DURATION_MS = 7 * 86_400_000
MAX_NAME_CHARS = 50
MAX_URL_CHARS = 2048
MAX_ERROR_CHARS = 4000
MAX_OUTCOME_CHARS = 20
MAX_RUN_ID_CHARS = 64
MAX_LABELS = 16
MAX_LABEL_KEY_CHARS = 50
MAX_LABEL_VALUE_CHARS = 200
MAX_FIELDS = 50
MAX_FIELD_NAME_CHARS = 64
MAX_COUNT = 2**31 - 1
MAX_BYTES = 2**63 - 1
EARLIEST_MS = 946_684_800_000  # 2000-01-01T00:00:00Z
MAX_AHEAD_MS = 86_400_000  # clocks drift, but not by more than a day

# What JSON, MySQL or SQLite can't carry: halves of surrogate pairs (not encodable as UTF-8) and NUL.
_UNSAFE = re.compile("[\0\ud800-\udfff]")


class Unreadable:
    """Stands for a value of a wrong type that nobody wants to hold on to or to read; no check lets it pass."""

    __slots__ = ("type_name",)

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name


def clean(text: str) -> str:
    """Replace the characters that can't be stored or encoded (lone surrogates, NUL) by U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text if type(text) is str else str.__str__(text)
    return _UNSAFE.sub("\ufffd", text)


def name(value: object, field: str) -> str:
    """Check the name of a source or scheduler: 1-50 characters after strip."""
    if type(value) is str and len(value) <= MAX_NAME_CHARS:
        kept = _stripped(value)
        if kept:
            return kept
    if isinstance(value, str):
        stripped = clean(value).strip()
        if 0 < len(stripped) <= MAX_NAME_CHARS:
            return stripped
        raise InvalidMetric(
            field, f"must be 1 to {MAX_NAME_CHARS} characters (after stripping spaces), got {len(stripped)}"
        )
    raise InvalidMetric(field, f"must be a string of 1 to {MAX_NAME_CHARS} characters, got {_kind(value)}")


@lru_cache(maxsize=1024)
def _stripped(value: str) -> str:
    """Return a short text as it is kept, empty when nothing is left; the same few come with every metric."""
    return clean(value).strip()


def optional_name(value: object, field: str) -> str | None:
    """Check a name that may be missing (None)."""
    return None if value is None else name(value, field)


def url(value: object, field: str = "url") -> str:
    """Check a page's URL: a string that isn't empty, cut to 2048 characters."""
    if isinstance(value, str):
        plain = type(value) is str and value.isascii() and "\0" not in value
        stripped = value.strip() if plain else clean(value).strip()
        if stripped:
            return stripped[:MAX_URL_CHARS]
        raise InvalidMetric(field, "must be a string that isn't empty, got an empty one")
    raise InvalidMetric(field, f"must be a string that isn't empty, got {_kind(value)}")


def duration_ms(value: object, field: str) -> int | float:
    """Check a duration in milliseconds: finite, 0 to seven days; whole numbers stay whole."""
    number: int | float | None = None
    if type(value) is float or type(value) is int:
        number = value
    elif isinstance(value, numbers.Real) and not isinstance(value, bool):
        number = _plain_number(value)  # numpy's and fractions' numbers, subclasses of int and float
    if number is not None and 0 <= number <= MAX_DURATION_MS:  # False for NaN
        return number
    raise InvalidMetric(field, f"must be a number of milliseconds from 0 to {MAX_DURATION_MS}, got {_shown(value)}")


def count(value: object, field: str, most: int = MAX_COUNT) -> int:
    """Check a whole number from 0 to `most`; 5.0 is one, too: JSON knows no difference, and encoders write it so."""
    if type(value) is int:
        if 0 <= value <= most:
            return value
    else:
        number = _whole(value)
        if number is not None and 0 <= number <= most:
            return number
    raise InvalidMetric(field, f"must be a whole number from 0 to {most}, got {_shown(value)}")


def optional_count(value: object, field: str, most: int = MAX_COUNT) -> int | None:
    """Check a whole number that may be missing (None)."""
    return None if value is None else count(value, field, most)


def flag(value: object, field: str) -> bool:
    """Check a truth value: true or false, nothing that is merely truthy."""
    if isinstance(value, bool):
        return value
    kind = type(value)
    if kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_"):  # what comparing its numbers gives
        return bool(value)
    raise InvalidMetric(field, f"must be true or false, got {_shown(value)}")


def error_text(value: object, field: str = "error") -> str | None:
    """Check an error text: None or a string, cut to 4000 characters."""
    if value is None:
        return None
    if isinstance(value, str):
        return clean(value[:MAX_ERROR_CHARS])
    raise InvalidMetric(field, f"must be null or a string, got {_kind(value)}")


def short_text(value: object, field: str, most_chars: int) -> str | None:
    """Check an optional short string; blank counts as missing (None)."""
    if value is None:
        return None
    if isinstance(value, str):
        short = type(value) is str and len(value) <= MAX_RUN_ID_CHARS
        stripped = _stripped(value) if short else clean(value).strip()
        if len(stripped) <= most_chars:
            return stripped or None
        raise InvalidMetric(field, f"must be null or at most {most_chars} characters, got {len(stripped)}")
    raise InvalidMetric(field, f"must be null or a string of at most {most_chars} characters, got {_kind(value)}")


def status_code(value: object, field: str = "statusCode") -> int | None:
    """Check an HTTP status: None or a whole number from 100 to 599."""
    if value is None:
        return None
    number = value if type(value) is int else _whole(value)
    if number is not None and 100 <= number <= 599:
        return number
    raise InvalidMetric(field, f"must be null or a whole number from 100 to 599, got {_shown(value)}")


def labels(value: object, field: str = "labels") -> dict[str, str] | None:
    """Check labels: None or at most 16 pairs of strings; the result is a copy, None when there are none."""
    if value is None:
        return None
    if type(value) is not dict and not isinstance(value, Mapping):  # abstract classes are slow to ask
        raise InvalidMetric(field, f"must be null or an object of strings, got {_kind(value)}")
    if len(value) > MAX_LABELS:
        raise InvalidMetric(field, f"must be at most {MAX_LABELS} pairs, got {len(value)}")
    kept: dict[str, str] = {}
    for key, text in value.items():
        if not isinstance(key, str) or not 0 < len(key) <= MAX_LABEL_KEY_CHARS:
            raise InvalidMetric(field, f"every key must be a string of 1 to {MAX_LABEL_KEY_CHARS} characters")
        if not isinstance(text, str) or len(text) > MAX_LABEL_VALUE_CHARS:
            raise InvalidMetric(
                field, f"the value of {clean(key)!r} must be a string of at most {MAX_LABEL_VALUE_CHARS} characters"
            )
        kept[clean(key)] = clean(text)
    return kept or None


def field_counts(value: object, *, items: int, field: str = "fields") -> dict[str, int] | None:
    """Check how many of the `items` have a usable value, by field: None or at most 50 counts from 0 to `items`.

    The result is a copy, None when there are none.
    """
    if value is None:
        return None
    if type(value) is not dict and not isinstance(value, Mapping):
        raise InvalidMetric(field, f"must be null or an object of counts, got {_kind(value)}")
    if len(value) > MAX_FIELDS:
        raise InvalidMetric(field, f"must be at most {MAX_FIELDS} fields, got {len(value)}")
    kept: dict[str, int] = {}
    for key, number in value.items():
        if not isinstance(key, str) or not 0 < len(key) <= MAX_FIELD_NAME_CHARS:
            raise InvalidMetric(field, f"every name must be a string of 1 to {MAX_FIELD_NAME_CHARS} characters")
        if type(number) is not int or not 0 <= number <= items:
            raise InvalidMetric(
                field, f"the count of {clean(key)!r} must be a whole number from 0 to itemsExtracted, which is {items}"
            )
        kept[_cleaned(key) if type(key) is str else clean(key)] = number
    return kept or None


@lru_cache(maxsize=1024)
def _cleaned(name: str) -> str:
    """Return a field's name as it is kept: the same few come with every scrape."""
    return clean(name)


def recorded_at_ms(value: object, *, now_ms: int, field: str = "recordedAt") -> int:
    """Check a moment in epoch milliseconds: 2000-01-01 to a day after `now_ms`; None means `now_ms`."""
    if value is None:
        return now_ms
    number = value if type(value) is int else _whole(value)
    if number is not None and EARLIEST_MS <= number <= now_ms + MAX_AHEAD_MS:
        return number
    raise InvalidMetric(
        field,
        "must be whole epoch milliseconds between 2000-01-01 and a day from now"
        f" ({EARLIEST_MS} to {now_ms + MAX_AHEAD_MS}), got {_shown(value)}",
    )


def _whole(value: object) -> int | None:
    """Return a whole number as a plain one; None for what is none."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None  # False for NaN and the infinities
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return operator.index(value)
    return None


def _plain_number(value: numbers.Real) -> int | float:
    if isinstance(value, numbers.Integral):
        return operator.index(value)
    try:
        return float(value)
    except (OverflowError, ValueError):  # a Fraction or Decimal beyond a float's range
        return -1


def _kind(value: object) -> str:
    if isinstance(value, Unreadable):
        return value.type_name
    return "null" if value is None else type(value).__name__


def _shown(value: object) -> str:
    """Say what came: small plain values as they are, else only their type (a foreign `repr` may do anything)."""
    if value is None:
        return "null"
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is float or (type(value) is int and abs(value) < 10**20):
        return repr(value)
    if type(value) is int:
        return "a far bigger or smaller one"
    if type(value) is str:
        return f"the string {clean(value[:40])!r}"
    return _kind(value)
