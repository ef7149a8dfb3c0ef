"""Some of a span's URLs: what groups need to tell their texts, which are unpacked when one is asked for."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from db.hashes import HashArray
from db.results import IntArray
from db.told_texts import ToldTexts
from db.url_pack import UrlIndex


class UrlTexts:
    """As `db.breakdown.Texts`.

    Args:
        index: What is kept once for the span.
        numbers: Which of its URLs, rising.
    """

    __slots__ = ("_index", "_numbers", "_told", "value")

    def __init__(self, index: UrlIndex, numbers: IntArray) -> None:
        self._index, self._numbers = index, numbers
        self._told = ToldTexts()
        self.value: HashArray = index.url_hashes(numbers)

    def find(self, wanted: Collection[int]) -> dict[int, str]:
        """Return the texts of those wanted values that are known here."""
        return self._told.find(wanted, self._unpacked)

    def holding(self, text: str) -> HashArray:
        """Return the values whose text has another in it, whatever the size of its letters."""
        return self.value[[text in one.lower() for one in self._index.url_texts(self._numbers).tolist()]]

    def _unpacked(self, wanted: Collection[int]) -> dict[int, str]:
        found = np.flatnonzero(np.isin(self.value, np.fromiter(wanted, np.uint64, len(wanted))))
        if not len(found):
            return {}
        texts = self._index.url_texts(self._numbers[found])
        return dict(zip(self.value[found].tolist(), texts.tolist(), strict=True))
