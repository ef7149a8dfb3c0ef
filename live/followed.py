"""What the view engine remembers of a view that somebody follows: its viewers, what it shows, when it moves next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from live.diff import Content, digest, ids_inside


@dataclass(slots=True)
class Joining:
    """A viewer that waits for its first content."""

    renderer_id: str
    digests: Mapping[str, str] | None  # what it shows already; None: nothing is certain
    reload: bool = False  # its page couldn't be built when it was loaded: it has to be loaded again
    before: LiveView | None = None  # the view that it followed: its last frames may have reached the new page
    stays: bool = True  # False: it is brought up to date once, and follows nothing from then on


@dataclass(slots=True)
class LiveView:
    """One distinct view with somebody looking at it."""

    href: str
    viewers: set[str] = field(default_factory=set)
    going: set[str] = field(default_factory=set)  # they have left for another view that isn't there yet: no frames
    joining: list[Joining] = field(default_factory=list)
    shown: Content = field(default_factory=dict)
    charts_waiting: Content = field(default_factory=dict)
    period_ms: int = 0
    computed: bool = False
    failed: bool = False
    numbers_dirty: bool = True
    charts_dirty: bool = True
    number_ids: frozenset[str] = frozenset()  # components that the numbers named last time
    chart_ids: frozenset[str] = frozenset()
    numbers_at_s: float = 0.0
    cost_s: float = 0.0  # how long it took to be computed the last time
    hold_s: float = 0.0  # how long the last frame keeps a browser busy, roughly
    charts_at_s: float = 0.0
    drawings: int = 0  # how many of its charts differed the last time
    chart_sent_at_s: float = 0.0
    bucket: int = 0

    def forget(self, component_ids: frozenset[str]) -> None:
        """Forget components that are no longer on the page: sent to a later viewer, they would find nothing there."""
        for component_id in component_ids:
            self.shown.pop(component_id, None)

    def new_to(self, viewer: Joining) -> Content:
        """Return what the view shows and a viewer that joins it doesn't, or maybe doesn't.

        Args:
            viewer: With what it shows already.
        """
        known = viewer.digests or {}
        touched = viewer.before.shown if viewer.before is not None else {}
        sent = {
            component_id
            for component_id, props in self.shown.items()
            if component_id in touched or known.get(component_id) != digest(props)
        }
        # Who gets its children anew gets them bare: what is shown in them has to follow.
        inside = ids_inside([self.shown[component_id] for component_id in sent])
        return {
            component_id: props
            for component_id, props in self.shown.items()
            if component_id in sent or component_id in inside
        }
