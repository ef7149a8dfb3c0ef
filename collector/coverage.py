"""Field coverage: of the items that a scrape gave, how many have a usable value in each field."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from collector import fields

_COLLECTIONS = (list, dict, tuple, set, frozenset, bytes, bytearray)

MOST_ITEMS = 10_000  # beyond, only the number of items is told: counting is done while the scraper waits


def is_usable(value: object) -> bool:
    """Say whether a field's value is of use: not None, not blank, not NaN, no empty collection; 0 and False are."""
    if value is None:
        return False
    if isinstance(value, str):
        return bool(value) and not value.isspace()
    if isinstance(value, float):
        return not math.isnan(value)
    if isinstance(value, int):
        return True
    if isinstance(value, _COLLECTIONS):  # the abstract class is asked last: that takes longer than all the rest
        return len(value) > 0
    return not isinstance(value, Mapping) or len(value) > 0


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
    counts = FieldCounts(names)
    for item in items:
        counts.add(item)
    return counts.result()


class FieldCounts:
    """Counts usable values item by item.

    Args:
        names: Fields that are counted in any case.
    """

    __slots__ = ("_counts", "_items")

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._counts = dict.fromkeys([name for name in names if isinstance(name, str)][: fields.MAX_FIELDS], 0)
        self._items = 0

    def add(self, item: object) -> None:
        """Count the fields of one item."""
        self._items += 1
        if self._items > MOST_ITEMS:
            return
        counts = self._counts
        for name, value in _fields_of(item):
            before = counts.get(name)
            if before is None:
                if len(counts) >= fields.MAX_FIELDS or not 0 < len(name) <= fields.MAX_FIELD_NAME_CHARS:
                    continue
                before = 0
            counts[name] = before + is_usable(value)

    def result(self) -> dict[str, int] | None:
        """Give the counts by field; None where there are none, or too many items."""
        return (self._counts or None) if self._items <= MOST_ITEMS else None


def _fields_of(item: Any) -> Iterator[tuple[str, object]]:
    if isinstance(item, Mapping):
        return ((name, value) for name, value in item.items() if isinstance(name, str))
    kind = type(item)
    named: Any = getattr(kind, "__dataclass_fields__", None) or getattr(kind, "_fields", None) or ()
    if not named:
        named = [attribute.name for attribute in getattr(kind, "__attrs_attrs__", ())]
    return ((name, getattr(item, name, None)) for name in named)
