"""Texts of values that were asked for before: the first ones of a table stay the same mostly."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

_MAX_TOLD = 100
_NOT_ASKED: Any = object()


class ToldTexts:
    """Remembers some texts, and of which values there are none."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: dict[int, str | None] = {}

    def __len__(self) -> int:
        return len(self._told)

    def find(self, wanted: Collection[int], look: Callable[[Collection[int]], Mapping[int, str]]) -> dict[int, str]:
        """Return the texts of those wanted values that have one.

        Args:
            wanted: Values.
            look: Returns the texts of some, those without any left out: asked of those that aren't remembered.
        """
        told = {value: text for value in wanted if (text := self._told.get(value, _NOT_ASKED)) is not _NOT_ASKED}
        missing = [value for value in wanted if value not in told]
        if missing:
            new: dict[int, str | None] = dict.fromkeys(missing) | dict(look(missing))
            told |= new
            if len(self._told) + len(new) > _MAX_TOLD:
                self._told.clear()
            if len(new) <= _MAX_TOLD:
                self._told.update(new)
        return {value: text for value, text in told.items() if text is not None}
