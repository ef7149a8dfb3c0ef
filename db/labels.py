"""Labels as the database keeps them, a JSON text: how it is written, asked for (in memory and in SQL) and known."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, false, func, or_

from collector.fields import MAX_LABEL_KEY_CHARS

_MAX_TEXTS = 4096
_MAX_KEYS = 50
_MAX_VALUES = 200


def labels_text(labels: Mapping[str, str]) -> str:
    """Return the text that stands for some labels; equal labels share one, however many rows have them.

    Args:
        labels: Keys and values, in the order that a scraper gave them.
    """
    return _written(tuple(labels.items()))


@lru_cache(maxsize=_MAX_TEXTS)
def shared(text: str) -> str:
    """Return the one copy of a text that rows in memory share; bounded, so that some texts may have several.

    Args:
        text: As `labels_text` returned it.
    """
    return text


@lru_cache(maxsize=_MAX_TEXTS)
def labels_of(text: str) -> frozenset[str]:
    """Return the labels in a text, `key=value` each; none when it isn't one of ours.

    Args:
        text: As `labels_text` returned it.
    """
    try:
        labels = json.loads(text)
    except ValueError:
        return frozenset()
    return frozenset(f"{key}={value}" for key, value in labels.items()) if isinstance(labels, dict) else frozenset()


def by_key(wanted: Sequence[str]) -> list[frozenset[str]]:
    """Return what is asked for: of each set a row has one at least.

    Args:
        wanted: `key=value` each; those with the same key are alternatives.
    """
    sets: dict[str, set[str]] = {}
    for label in wanted:
        sets.setdefault(label.partition("=")[0], set()).add(label)
    return [frozenset(labels) for labels in sets.values()]


def have(text: str | None, wanted: Sequence[frozenset[str]]) -> bool:
    """Say whether a row's labels are those that are asked for.

    Args:
        text: Its labels, None without any.
        wanted: What `by_key` returned.
    """
    if text is None:
        return not wanted
    labels = labels_of(text)
    return all(not alternatives.isdisjoint(labels) for alternatives in wanted)


def label_conditions(column: Any, wanted: Sequence[str]) -> list[ColumnElement[bool]]:
    """Return what `have` checks, as SQL: the text is searched as it is, so no character means anything but itself.

    A label's `"key":"value"` comes after a brace or a comma. Quotes in keys and values are escaped, so these three can
    only be found elsewhere when the key begins with a comma, a colon or a brace: such a key may find too much.

    Args:
        column: A column of such texts.
        wanted: As for `by_key`.
    """
    return [
        or_(
            false(),
            *(
                func.instr(column, before + fragment) > 0
                for label in sorted(alternatives)
                for fragment in _fragments(label)
                for before in ("{", ",")
            ),
        )
        for alternatives in by_key(wanted)
    ]


class KnownLabels:
    """The labels that were seen, the newest in bounded number."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # protects _values
        self._values: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()

    def add(self, texts: Iterable[str | None]) -> None:
        """Take note of labels.

        Args:
            texts: Rows' labels, None without any.
        """
        seen = {text for text in texts if text is not None}
        if not seen:
            return
        labels = sorted(frozenset[str]().union(*map(labels_of, seen)))
        with self._lock:
            for key, _, value in (label.partition("=") for label in labels):
                values = self._values.setdefault(key, OrderedDict())
                values[value] = None
                values.move_to_end(value)
                self._values.move_to_end(key)
                while len(values) > _MAX_VALUES:
                    values.popitem(last=False)
                while len(self._values) > _MAX_KEYS:
                    self._values.popitem(last=False)

    def all(self) -> tuple[str, ...]:
        """Return what is known, `key=value` each, in order."""
        with self._lock:
            return tuple(sorted(f"{key}={value}" for key, values in self._values.items() for value in values))


@lru_cache(maxsize=_MAX_TEXTS)
def _written(labels: tuple[tuple[str, str], ...]) -> str:
    return shared(_json(dict(labels)))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _fragments(label: str) -> list[str]:
    """Return how a label can be written: `a=b=c` may be the value `b=c` of `a` or the value `c` of `a=b`."""
    places = [place for place, character in enumerate(label) if character == "=" and 0 < place <= MAX_LABEL_KEY_CHARS]
    return [f"{_json(label[:place])}:{_json(label[place + 1 :])}" for place in places]
