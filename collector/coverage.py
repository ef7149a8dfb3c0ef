"""Field coverage: of the items that a scrape gave, how many have a usable value in each field."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from collector import fields

MOST_ITEMS = 10_000  # beyond, only the number of items is told: counting is done while the scraper waits


def is_usable(value: object) -> bool:
    """Say whether a field's value is of use: not None, not blank, not NaN, no empty collection; 0 and False are."""
    if value is None:
        return False
    if isinstance(value, str):
        return bool(value) and not value.isspace()
    if isinstance(value, float):
        return not math.isnan(value)
    if isinstance(value, bytes | bytearray | Mapping | list | tuple | set | frozenset):
        return len(value) > 0
    return True


def count_fields(items: Collection[object], names: Iterable[str] = ()) -> dict[str, int] | None:
    """Count the usable values of each field.

    Args:
        items: Mappings (dicts, Scrapy's items), dataclass or attrs instances, named tuples; others have no fields.
        names: Fields that are counted in any case: one that is in no item at all then counts 0 and is missed. Without
            it, a field that all items leave out can't be known.

    Returns:
        Field -> number of items with a usable value; at most 50 fields, those named first. None when no item has
        fields and none is named, and for more than 10,000 items.
    """
    if len(items) > MOST_ITEMS:
        return None
    counts = dict.fromkeys([name for name in names if isinstance(name, str)][: fields.MAX_FIELDS], 0)
    for item in items:
        for name, value in _fields_of(item):
            before = counts.get(name)
            if before is None:
                if len(counts) >= fields.MAX_FIELDS or not 0 < len(name) <= fields.MAX_FIELD_NAME_CHARS:
                    continue
                before = 0
            counts[name] = before + is_usable(value)
    return counts or None


def _fields_of(item: Any) -> Iterator[tuple[str, object]]:
    if isinstance(item, Mapping):
        return ((name, value) for name, value in item.items() if isinstance(name, str))
    kind = type(item)
    named: Iterable[str] = getattr(kind, "__dataclass_fields__", None) or getattr(kind, "_fields", None) or ()
    if not named:
        named = [attribute.name for attribute in getattr(kind, "__attrs_attrs__", ())]
    return ((name, getattr(item, name, None)) for name in named)
