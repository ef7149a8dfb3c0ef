"""Sources told apart by the labels of their rows: what packs call them, and whose numbers they become when read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from db.chunk import Chunk, CodeArray
from db.columns import DetailColumns, Names
from db.labels import by_key, have

# A source's name, this mark, and then the labels of its rows as db.labels writes them ("" for none): neither of these
# texts has the mark. Without it nobody knows the labels: the pack is from before they were told apart.
_MARK = "\0"
_TOO_MANY = "*"  # instead of labels: no JSON object
# Rows that don't have the labels that are asked for; rows of which that isn't known have numbers below.
OTHER = -1


class Numbers(Protocol):
    """Gives what packs call sources their numbers."""

    def code(self, name: str) -> int:
        """Return the number."""


class AnyLabels:
    """The numbers of sources, whatever labels their rows have.

    Args:
        names: Gives sources their numbers.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._known: dict[str, int] = {}  # many packs call them alike

    def code(self, name: str) -> int:
        """Return the number of a source.

        Args:
            name: What a pack calls it.
        """
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._names.code(source_of(name))
        return found


class WithLabels:
    """The numbers of sources where their rows have some labels: OTHER where they haven't.

    Args:
        names: Gives sources their numbers.
        labels: As for `db.labels.by_key`.
    """

    def __init__(self, names: Names, labels: Sequence[str]) -> None:
        self._names = names
        self._wanted = by_key(labels)
        self._known: dict[str, int] = {}

    def code(self, name: str) -> int:
        """Return the number of a source; where nobody knows the labels, the one that `unknown` makes of it.

        Args:
            name: What a pack calls it.
        """
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._of(name)
        return found

    def _of(self, name: str) -> int:
        source, mark, labels = name.rpartition(_MARK)
        if not mark or labels == _TOO_MANY:
            return unknown(self._names.code(source if mark else name))
        return self._names.code(source) if have(labels or None, self._wanted) else OTHER


def unknown(code: int) -> int:
    """Return what stands for rows of a source of which nobody knows whether they have some labels; and back again.

    Args:
        code: The source's number, or such a number.
    """
    return OTHER - 1 - code


def source_of(name: str) -> str:
    """Return the source that a pack means.

    Args:
        name: What the pack calls it.
    """
    return name.rpartition(_MARK)[0] if _MARK in name else name


def by_labels(rows: DetailColumns, most: int) -> DetailColumns:
    """Return the same rows, those of a source with other labels as those of another source.

    Args:
        rows: With their labels.
        most: So many labels are told apart of a source at most; of one with more, none are.
    """
    text, texts = pd.factorize(rows.labels, use_na_sentinel=False)
    labels = [value if isinstance(value, str) else "" for value in texts.tolist()]
    size = max(1, len(labels))
    pairs, place = np.unique(rows.source.astype(np.int64) * size + text, return_inverse=True)
    called = [f"{rows.source_names[pair // size]}{_MARK}{labels[pair % size]}" for pair in pairs.tolist()]
    names = Names()
    code = np.array([names.code(name) for name in bounded(called, most)], dtype=np.int32)[place]
    chunks, low = [], 0
    for chunk in rows.chunks:
        arrays = {name: array[: chunk.size] for name, array in chunk.arrays.items()}
        chunks.append(Chunk(arrays | {"source": code[low : low + chunk.size]}, chunk.size))
        low += chunk.size
    return DetailColumns(chunks, names, rows.outcome_names)


def bounded(called: Sequence[str], most: int) -> list[str]:
    """Return what a pack is to call sources: the labels of one that has too many are no longer told apart.

    Args:
        called: What they are called in the packs that it is made of, or by their rows; each once.
        most: As for `by_labels`.
    """
    sources = [source_of(name) for name in called]
    labels = Counter(sources)
    mixed = {source for source, name in zip(sources, called, strict=True) if name.endswith(_MARK + _TOO_MANY)}
    plain = {name for name in called if _MARK not in name}
    return [
        source if source in plain else
        f"{source}{_MARK}{_TOO_MANY}" if source in mixed or labels[source] > most else
        name
        for source, name in zip(sources, called, strict=True)
    ]  # fmt: skip


class Bounded:
    """Names for a pack that is made of others: what these call sources, as far as labels are still told apart.

    Args:
        called: What the others call sources.
        most: As for `by_labels`.
    """

    def __init__(self, called: Iterable[str], most: int) -> None:
        every = list(dict.fromkeys(called))
        self.names = Names()
        self._codes = {name: self.names.code(as_now) for name, as_now in zip(every, bounded(every, most), strict=True)}

    def code(self, name: str) -> int:
        """Return the number of a source in `names`.

        Args:
            name: What one of the others calls it.
        """
        return self._codes[name]


def sources_alone(names: Names) -> CodeArray:
    """Return for each of some names a number that those of one source share, int32[n].

    Args:
        names: What a pack calls sources.
    """
    return pd.factorize(np.array([source_of(name) for name in names.all()], dtype=object))[0].astype(np.int32)
