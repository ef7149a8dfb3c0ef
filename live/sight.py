"""Which charts are out of each open page's sight, and which of those changed meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

MOST_CHARTS = 100  # of one page: what a browser tells is bounded


class Glance(NamedTuple):
    """What a page told of one of its charts."""

    at_ms: float  # on the page's own clock: what it tells is worked on by several threads, so in any order
    seen: bool


@dataclass(slots=True)
class _Page:
    told: dict[str, Glance] = field(default_factory=dict)
    missed: set[str] = field(default_factory=set)  # changed while they were out of sight


class Sight:
    """Tell which drawings needn't be sent to whom, and remember them until they are.

    A chart that nothing was told of is in sight: a browser that tells nothing gets everything. Not safe to be used by
    several threads at a time: the view engine's lock protects it.
    """

    def __init__(self) -> None:
        self._pages: dict[str, _Page] = {}  # renderer id -> what is known of it
        self._back: set[str] = set()  # renderers that see something again which they missed

    def tell(self, renderer_id: str, told: Mapping[str, Glance]) -> bool:
        """Note what a page told of its charts; say whether one came into sight that changed meanwhile.

        Args:
            renderer_id: Dash's id of the open page.
            told: By chart's id; what is older than what is known already says nothing.
        """
        page = self._pages.setdefault(renderer_id, _Page())
        for chart_id, glance in told.items():
            known = page.told.get(chart_id)
            if glance.at_ms >= known.at_ms if known else len(page.told) < MOST_CHARTS:
                page.told[chart_id] = glance
        if any(self._sees(page, chart_id) for chart_id in page.missed):
            self._back.add(renderer_id)
        return renderer_id in self._back

    def split(self, renderer_ids: Collection[str], drawings: frozenset[str]) -> dict[frozenset[str], list[str]]:
        """Part pages by which drawings they don't see, and note that they miss these.

        Args:
            renderer_ids: Open pages.
            drawings: The charts' ids that are about to be sent.

        Returns:
            What isn't to be sent -> to whom.
        """
        parts: dict[frozenset[str], list[str]] = {}
        for renderer_id in renderer_ids:
            page = self._pages.get(renderer_id) if drawings else None
            unseen = frozenset() if page is None else frozenset(own for own in drawings if not self._sees(page, own))
            if page is not None:
                page.missed |= unseen
            parts.setdefault(unseen, []).append(renderer_id)
        return parts

    def unseen(self, renderer_ids: Collection[str], drawings: Collection[str]) -> set[str]:
        """Return the drawings that none of these pages sees.

        Args:
            renderer_ids: Open pages.
            drawings: Charts' ids.
        """
        rest = set(drawings)
        for renderer_id in renderer_ids:
            page = self._pages.get(renderer_id)
            if page is None or not rest:
                return set()
            rest = {own for own in rest if not self._sees(page, own)}
        return rest

    def back(self, renderer_ids: set[str]) -> dict[str, set[str]]:
        """Return who of these pages sees which charts again that changed meanwhile; they miss them no longer.

        Args:
            renderer_ids: Open pages.
        """
        found: dict[str, set[str]] = {}
        for renderer_id in self._back & renderer_ids:
            page = self._pages[renderer_id]
            found[renderer_id] = {chart_id for chart_id in page.missed if self._sees(page, chart_id)}
            page.missed -= found[renderer_id]
        self._back -= found.keys()
        return found

    def caught_up(self, renderer_id: str) -> None:
        """Note that a page was sent all that it missed.

        Args:
            renderer_id: Dash's id of the open page.
        """
        if renderer_id in self._pages:
            self._pages[renderer_id].missed.clear()
            self._back.discard(renderer_id)

    def forget(self, renderer_id: str) -> None:
        """Forget a page: it was closed, or loaded anew.

        Args:
            renderer_id: Dash's id of the open page.
        """
        self._pages.pop(renderer_id, None)
        self._back.discard(renderer_id)

    @staticmethod
    def _sees(page: _Page, chart_id: str) -> bool:
        glance = page.told.get(chart_id)
        return glance is None or glance.seen
