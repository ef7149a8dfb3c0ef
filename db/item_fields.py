"""Fields of scraped items as the database keeps them, a JSON text: how many items of a scrape had each field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from db.results import IntArray

ALL_ITEMS = ""  # stands for the items themselves among the fields; no field is named so
_MAX_TEXTS = 4096


def fields_text(counts: Mapping[str, int]) -> str:
    """Return the text that stands for some fields.

    Args:
        counts: Field -> items that had it, in the order that a scraper gave them.
    """
    return _written(tuple(counts.items()))


@lru_cache(maxsize=_MAX_TEXTS)
def shared_fields(text: str) -> str:
    """Return the one copy of a text that rows in memory share; bounded, so that some texts may have several.

    Args:
        text: As `fields_text` returned it.
    """
    return text


@lru_cache(maxsize=_MAX_TEXTS)
def fields_of(text: str | None) -> tuple[tuple[str, int], ...]:
    """Return the fields in a text with the items that had each; none when it isn't one of ours.

    Args:
        text: As `fields_text` returned it, None without any.
    """
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return ()
    pairs = found.items() if isinstance(found, dict) else ()
    return tuple((name, had) for name, had in pairs if name != ALL_ITEMS and type(had) is int and had >= 0)


def told_fields(
    texts: npt.NDArray[np.object_], items: IntArray, times: IntArray | None = None
) -> tuple[list[str], IntArray, IntArray, IntArray]:
    """Count the items of rows out by field.

    Args:
        texts: str or None [n]: what `fields_text` returned for each row.
        items: int64[n]: the items of each row.
        times: int64[n]: how many scrapes each row stands for, whose items are summed already; one each by default.

    Returns:
        (k names, int64[m]: which of them, int64[m]: of which row, int64[m]: items that had it). A row without fields
        comes up not at all; any other first with ALL_ITEMS and all of its items, and once more for each of its fields.
    """
    codes, distinct = pd.factorize(texts)
    names: dict[str, int] = {ALL_ITEMS: 0}
    name: list[int] = []
    had: list[int] = []
    sizes: list[int] = []
    for text in distinct.tolist():
        fields = fields_of(text)
        name += [0, *(names.setdefault(field, len(names)) for field, _ in fields)] if fields else []
        had += [-1, *(count for _, count in fields)] if fields else []
        sizes.append(len(fields) + 1 if fields else 0)
    size = np.array([*sizes, 0], dtype=np.int64)  # the last one is that of rows without a text, whose code is -1
    own = size[codes]
    row = np.repeat(np.arange(len(texts), dtype=np.int64), own)
    first = np.concatenate((np.cumsum(size[:-1]) - size[:-1], [0])).astype(np.int64)
    within = np.arange(len(row), dtype=np.int64) - np.repeat(np.cumsum(own) - own, own)
    at = first[codes[row]] + within
    told = np.array(had, dtype=np.int64)[at]
    each = told if times is None else told * times[row]
    return list(names), np.array(name, dtype=np.int64)[at], row, np.where(told < 0, items[row], each)


@lru_cache(maxsize=_MAX_TEXTS)
def _written(counts: tuple[tuple[str, int], ...]) -> str:
    return shared_fields(json.dumps(dict(counts), ensure_ascii=False, separators=(",", ":")))
