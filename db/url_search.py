"""Looks for texts in the URLs of rows in memory: in each URL once, however many rows have it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from cachetools import LRUCache

BoolArray = npt.NDArray[np.bool_]
_MAX_TEXTS = 32


class Numbered(Protocol):
    """A run of rows whose URLs have been numbered, or are going to be (db.chunk)."""

    arrays: dict[str, npt.NDArray[Any]]
    size: int
    url_numbers: dict[int, npt.NDArray[np.int32]]  # by generation, of the first rows


class UrlSearch:
    """Numbers URLs, and remembers which of them have what was looked for.

    Args:
        most_urls: URLs that are numbered at most, more than there are different ones in memory at a time; beyond, all
            of them are numbered anew.
    """

    def __init__(self, most_urls: int) -> None:
        self._most_urls = most_urls
        self._lock = threading.Lock()  # protects everything below
        self._generation = 0
        self._hashes = np.empty(0, dtype=np.uint64)  # of URLs, rising
        self._numbers = np.empty(0, dtype=np.int32)  # theirs
        self._urls: list[str] = []  # by number
        # Which of the first URLs have a text, which is in small letters.
        self._found: LRUCache[str, BoolArray] = LRUCache(_MAX_TEXTS)

    def number(self, rows: Sequence[Numbered]) -> None:
        """Number the URLs of rows before somebody looks for a text in them.

        Args:
            rows: With `url` and `url_hash`.
        """
        with self._lock:
            self._all_numbers(rows)

    def find(self, text: str, rows: Sequence[Numbered]) -> list[BoolArray]:
        """Return which rows have a text in their URL, bool[size] for each run.

        Args:
            text: In small letters.
            rows: With `url` and `url_hash`.
        """
        with self._lock:
            numbers = self._all_numbers(rows)
            known = self._found.get(text)
            done = 0 if known is None else len(known)
            found = np.array(having(text, self._urls[done:]), np.bool_)
            self._found[text] = found = found if known is None else np.concatenate((known, found))
        return [found[own] for own in numbers]

    def _all_numbers(self, rows: Sequence[Numbered]) -> list[npt.NDArray[np.int32]]:
        numbers = [self._numbers_of(one) for one in rows]
        if len(self._urls) <= self._most_urls:
            return numbers
        self._generation += 1
        self._hashes, self._numbers, self._urls = self._hashes[:0], self._numbers[:0], []
        self._found.clear()
        return [self._numbers_of(one) for one in rows]

    def _numbers_of(self, rows: Numbered) -> npt.NDArray[np.int32]:
        known = rows.url_numbers.get(self._generation)
        done = 0 if known is None else len(known)
        if known is not None and done >= rows.size:
            return known[: rows.size]
        codes, distinct = pd.factorize(rows.arrays["url_hash"][done : rows.size])
        one = np.zeros(len(distinct), dtype=np.int64)
        one[codes] = np.arange(len(codes))
        place = np.searchsorted(self._hashes, distinct)
        new = np.ones(len(distinct), dtype=np.bool_)
        inside = place < len(self._hashes)
        new[inside] = self._hashes[place[inside]] != distinct[inside]
        if new.any():
            self._add(distinct[new], rows.arrays["url"][done + one[new]].tolist())
            place = np.searchsorted(self._hashes, distinct)
        own = self._numbers[place][codes]
        rows.url_numbers.clear()  # those of another generation
        rows.url_numbers[self._generation] = own = own if known is None else np.concatenate((known, own))
        return own

    def _add(self, hashes: npt.NDArray[np.uint64], urls: list[str]) -> None:
        numbers = np.arange(len(self._urls), len(self._urls) + len(urls), dtype=np.int32)
        self._urls += urls
        order = np.argsort(hashes)
        place = np.searchsorted(self._hashes, hashes[order])
        self._hashes = np.insert(self._hashes, place, hashes[order])
        self._numbers = np.insert(self._numbers, place, numbers[order])


def having(wanted: str, texts: Sequence[str]) -> list[bool]:
    """Return which texts have one in them.

    Args:
        wanted: In small letters.
        texts: Their letters don't matter.
    """
    lines = "\n".join(texts).lower()
    if "\n" in wanted or lines.count("\n") != len(texts) - 1:
        return [wanted in text.lower() for text in texts]
    # Few texts have most others in them: only these are looked at one by one.
    found = [False] * len(texts)
    number = begin = 0
    at = lines.find(wanted)
    while at >= 0:
        number += lines.count("\n", begin, at)
        found[number] = True
        end = lines.find("\n", at)
        if end < 0:
            break
        number, begin = number + 1, end + 1
        at = lines.find(wanted, begin)
    return found
