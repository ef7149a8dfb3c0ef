"""How often a view may move: what a browser can draw, and what the thread that computes all views can share."""

from __future__ import annotations

import time
from dataclasses import dataclass

from live.followed import LiveView

_MAX_HOLD_S = 0.25


@dataclass(slots=True)
class Tempo:
    """The shortest pauses between two changes of a view.

    Attributes:
        numbers_interval_s: Between two changes of cards, texts and tables.
        prompt_bytes: A change of numbers up to this size is followed by no longer pause; many are, for nobody reads
            each, and a browser has to draw them all.
        numbers_bytes_per_s: How the pause grows with what is larger.
        charts_interval_s: Between two changes of the same chart.
        chart_spacing_s: Between two charts: each frame ends in one redraw.
        most_drawings_per_s: Of all charts of a view: a page of ten would keep a browser busy with nothing else.
        rest_share: What takes long to compute rests so many times as long: others share the thread.
    """

    numbers_interval_s: float = 0.03
    prompt_bytes: int = 1_200
    numbers_bytes_per_s: float = 10_000.0
    charts_interval_s: float = 1.0
    chart_spacing_s: float = 0.06
    most_drawings_per_s: float = 4.0
    rest_share: float = 4.0

    def hold_s(self, sent_bytes: int) -> float:
        """Return how long a change of numbers keeps a browser busy, roughly, in seconds.

        Args:
            sent_bytes: Its size.
        """
        return min(_MAX_HOLD_S, max(0, sent_bytes - self.prompt_bytes) / self.numbers_bytes_per_s)

    def numbers_pause_s(self, view: LiveView) -> float:
        """Return the pause between two changes of a view's numbers, in seconds."""
        return max(self.numbers_interval_s, view.hold_s, self.rest_share * view.cost_s)

    def charts_pause_s(self, view: LiveView) -> float:
        """Return the pause between two changes of a view's charts, in seconds."""
        return max(self.charts_interval_s, view.drawings / self.most_drawings_per_s, self.rest_share * view.cost_s)

    def numbers_wait_s(self, view: LiveView) -> float:
        """Return in how many seconds a view's numbers may change, 0 or less: now."""
        return view.numbers_at_s + self.numbers_pause_s(view) - time.monotonic()

    def charts_wait_s(self, view: LiveView) -> float:
        """Return in how many seconds a view's charts may change, 0 or less: now."""
        return view.charts_at_s + self.charts_pause_s(view) - time.monotonic()

    def next_chart_wait_s(self, view: LiveView) -> float:
        """Return in how many seconds the next chart that waits may be sent, 0 or less: now."""
        return view.chart_sent_at_s + self.chart_spacing_s - time.monotonic()

    def wait_s(self, view: LiveView) -> float:
        """Return in how many seconds a view wants to be looked at again."""
        due = [1.0]
        if view.numbers_dirty:
            due.append(self.numbers_wait_s(view))
        if view.charts_dirty:
            due.append(self.charts_wait_s(view))
        if view.charts_waiting:
            due.append(self.next_chart_wait_s(view))
        return max(0.001, min(due))
