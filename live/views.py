"""The view engine: compute each distinct view once, send every viewer of it only what changed.

A view is known by its canonical link alone. What a page shows is a pure function of (link, data, time); the engine
runs it again when data landed or a time bucket ended, compares with what the view showed before, and sends the
difference. Numbers move up to thirty times a second (less often the more there is to draw), charts once, or four of
them where a page has more, one chart a frame: a redraw costs a browser ~20 ms. A chart that is out of a page's sight
is sent to it when it comes into sight.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from live import frames
from live.diff import Content, digest, normalise, patch_props
from live.followed import Joining, LiveView
from live.sight import Glance, Sight
from live.tempo import Tempo

log = logging.getLogger(__name__)
RETRY_S = 1.0
DRAWINGS = frozenset({"figure", "spec"})  # props whose change makes a browser draw anew
RELOAD_ID = "reload"  # the store whose change makes a page load itself again


class Pages(Protocol):
    """What the engine needs of the pages: two pure functions of a view's link, and how often time alone moves it."""

    def numbers(self, href: str, now_ms: int) -> Mapping[str, Mapping[str, Any]]:
        """Return cards, texts and tables: component id -> props."""

    def charts(self, href: str, now_ms: int) -> Mapping[str, Mapping[str, Any]]:
        """Return the charts: component id -> props."""

    def status(self, now_ms: int) -> Mapping[str, Mapping[str, Any]]:
        """Return what every page says of the system itself, also while its data can't be read."""

    def period_ms(self, href: str) -> int:
        """Return how long the view stands still when no data comes (its bucket), in milliseconds."""


# Sends one payload (frames.RENDERER stands for the id) to renderers; never blocks, never raises.
Send = Callable[[Sequence[str], bytes], None]


class ViewEngine:
    """Keep every joined renderer's page equal to a fresh load of it."""

    def __init__(
        self,
        pages: Pages,
        send: Send,
        *,
        tempo: Tempo | None = None,
        most_views: int = 300,
    ) -> None:
        self.pages = pages
        self.send = send
        self.tempo = tempo or Tempo()
        self.most_views = most_views  # distinct ones; all of them are computed by one thread
        self.refused = 0
        self.computed = self.failures = 0
        self.compute_s = 0.0
        # _wake's lock protects _views, _where, _sight, each view's viewers/joining, and the flags below; pages are
        # computed and frames handed over outside of it.
        self._wake = threading.Condition()
        self._views: dict[str, LiveView] = {}
        self._where: dict[str, str] = {}  # renderer id -> href
        self._sight = Sight()
        self._changed = self._joined = False
        self._running = False
        self._thread = threading.Thread(target=self._run, name="views", daemon=True)

    # Any thread ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the engine's thread."""
        self._running = True
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End the engine's thread."""
        with self._wake:
            self._running = False
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def changed(self, *_: object) -> None:
        """Note that data landed (or the database's state changed): every view may look different now."""
        with self._wake:
            self._changed = True
            self._wake.notify()

    def join(self, renderer_id: str, href: str, digests: Mapping[str, str] | None, *, reload: bool = False) -> bool:
        """Let a renderer follow a view from now on (and no longer the one it followed before).

        Returns:
            False when it follows none: that would be one more distinct view than may be followed.

        Args:
            renderer_id: Dash's id of one open page.
            href: the view's canonical link.
            digests: fingerprints of the components as the page was loaded; what differs is sent first. None sends all.
            reload: the page couldn't be built when it was loaded; tell the renderer to load it when it can be.
        """
        with self._wake:
            if href not in self._views and len(self._views) >= self.most_views:
                self._leave(renderer_id)
                self.refused += 1
                return False
            if digests is not None:  # loaded anew: what was told was of charts that are no more
                self._sight.forget(renderer_id)
            self._join(Joining(renderer_id, digests, reload), href)
            return True

    def settle(self, renderer_id: str, href: str, digests: Mapping[str, str] | None) -> None:
        """Let a renderer follow no view from now on, and show a paused page as a fresh load would.

        Frames of the view that it followed may have come after the paused page was loaded; what they may have changed
        is sent once more.

        Args:
            renderer_id: Dash's id of one open page.
            href: the paused view's canonical link.
            digests: fingerprints of the components as the page was loaded.
        """
        with self._wake:
            self._sight.forget(renderer_id)
            if renderer_id in self._where:
                self._join(Joining(renderer_id, digests, stays=False), href)

    def go(self, renderer_id: str, href: str) -> None:
        """Send a renderer nothing more of the view that it follows: it is on its way to another one.

        Frames that came after the other page was loaded would address components that it hasn't.

        Args:
            renderer_id: Dash's id of one open page.
            href: the canonical link of where it goes.
        """
        with self._wake:
            here = self._where.get(renderer_id)
            if here not in (None, href) and renderer_id in self._views[here].viewers:
                self._views[here].viewers.discard(renderer_id)
                self._views[here].going.add(renderer_id)

    def sees(self, renderer_id: str, told: Mapping[str, Glance]) -> None:
        """Note which of its charts are on a renderer's screen: the others are sent when they come into sight.

        Args:
            renderer_id: Dash's id of one open page.
            told: By chart's id.
        """
        with self._wake:
            if renderer_id in self._where and self._sight.tell(renderer_id, told):
                self._joined = True
                self._wake.notify()

    def leave(self, renderer_id: str) -> None:
        """Forget a renderer."""
        with self._wake:
            self._sight.forget(renderer_id)
            self._leave(renderer_id)

    def follows(self, renderer_id: str) -> str | None:
        """Return the link of the view that a renderer follows; None while it is on its way to another one."""
        with self._wake:
            href = self._where.get(renderer_id)
            return None if href is None or renderer_id in self._views[href].going else href

    def rejoin(self, renderer_id: str) -> None:
        """Send a renderer that missed frames everything that its view shows."""
        with self._wake:  # all the while, lest it is brought back to a view that it just left
            href = self._where.get(renderer_id)
            if href is None or renderer_id in self._views[href].going:
                return
            settling = any(item.renderer_id == renderer_id and not item.stays for item in self._views[href].joining)
            self._join(Joining(renderer_id, None, stays=not settling), href)

    def renderers(self) -> list[str]:
        """Return the ids of all renderers that follow a view."""
        with self._wake:
            settling = {item.renderer_id for view in self._views.values() for item in view.joining if not item.stays}
            return [renderer_id for renderer_id in self._where if renderer_id not in settling]

    def stats(self) -> dict[str, Any]:
        """Return views, viewers, computations, failures and the mean computing time in milliseconds."""
        with self._wake:
            return {
                "views": len(self._views),
                "viewers": len(self._where),
                "computed": self.computed,
                "failures": self.failures,
                "meanComputeMs": round(1000 * self.compute_s / self.computed, 3) if self.computed else None,
            }

    def _join(self, viewer: Joining, href: str) -> None:
        before = self._where.get(viewer.renderer_id)
        if before is not None:
            viewer.before = self._views[before]
            if viewer.renderer_id not in viewer.before.viewers | viewer.before.going:
                viewer.digests = None  # it changes twice in a moment: which frames it got is hard to say
        self._leave(viewer.renderer_id)
        self._views.setdefault(href, LiveView(href)).joining.append(viewer)
        self._where[viewer.renderer_id] = href
        self._joined = True
        self._wake.notify()

    def _leave(self, renderer_id: str) -> None:
        href = self._where.pop(renderer_id, None)
        view = self._views.get(href) if href is not None else None
        if view is not None:
            view.viewers.discard(renderer_id)
            view.going.discard(renderer_id)
            view.joining = [joining for joining in view.joining if joining.renderer_id != renderer_id]
            if not view.viewers and not view.joining and not view.going:
                del self._views[view.href]

    # The engine's thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        wait_s = 0.0
        while True:
            with self._wake:
                if not self._changed and not self._joined and self._running:
                    self._wake.wait(wait_s)
                if not self._running:
                    return
                changed, self._changed, self._joined = self._changed, False, False
                views = list(self._views.values())
            wait_s = 1.0
            for view in views:
                if changed:
                    view.numbers_dirty = view.charts_dirty = True
                try:
                    wait_s = min(wait_s, self._advance(view))
                except Exception:  # one view's mistake must not stop the others
                    log.exception("view %s failed", view.href)
                    self._start_afresh(view)

    def _advance(self, view: LiveView) -> float:
        """Bring one view up to date as far as it is due; return the seconds until it wants to be looked at again."""
        now_ms = time.time_ns() // 1_000_000
        view.period_ms = view.period_ms or max(1_000, self.pages.period_ms(view.href))
        bucket = now_ms // view.period_ms
        if bucket != view.bucket:
            view.bucket = bucket
            view.numbers_dirty = view.charts_dirty = True
        now = time.monotonic()
        status = normalise(self.pages.status(now_ms))
        self._show(view, status)
        try:
            self._update(view, now, now_ms)
        except Exception as exc:  # noqa: BLE001 - a page that can't be computed keeps what it shows, and is tried again
            self.failures += 1
            if not view.failed:
                log.warning("view %s can't be computed, trying again: %s", view.href, exc)
            view.failed = True
            view.numbers_dirty = view.charts_dirty = True
            view.numbers_at_s = view.charts_at_s = now + RETRY_S
        if not view.computed:
            self._tell_waiting(view, status)
        self._show_next_chart(view)
        if view.computed:
            self._bring_back(view)
            self._welcome(view)
        return self.tempo.wait_s(view)

    def _start_afresh(self, view: LiveView) -> None:
        """Treat a view whose state is uncertain as a new one: its viewers get everything when it can be computed."""
        self.failures += 1
        with self._wake:
            view.joining += [Joining(renderer_id, None) for renderer_id in view.viewers]
            view.viewers.clear()
        view.computed, view.shown, view.charts_waiting = False, {}, {}
        view.numbers_at_s = time.monotonic() + RETRY_S

    def _update(self, view: LiveView, now: float, now_ms: int) -> None:
        if not view.computed:
            if now < view.numbers_at_s:  # it failed a moment ago
                return
            numbers = self._compute(self.pages.numbers, view, now_ms)
            charts = self._compute(self.pages.charts, view, now_ms)
            view.shown.update(numbers | charts)
            view.number_ids, view.chart_ids = frozenset(numbers), frozenset(charts)
            view.numbers_at_s = view.charts_at_s = now
            view.numbers_dirty = view.charts_dirty = False
            view.computed = True
        if view.numbers_dirty and self.tempo.numbers_wait_s(view) <= 0:
            view.numbers_dirty = False
            view.numbers_at_s = now
            numbers = self._compute(self.pages.numbers, view, now_ms)
            view.hold_s = self.tempo.hold_s(self._show(view, numbers))
            view.forget(view.number_ids - numbers.keys())
            view.number_ids = frozenset(numbers)
        if view.charts_dirty and self.tempo.charts_wait_s(view) <= 0:
            view.charts_dirty = False
            view.charts_at_s = now
            charts = self._compute(self.pages.charts, view, now_ms)
            view.forget(view.chart_ids - charts.keys())
            view.chart_ids = frozenset(charts)
            view.charts_waiting = {key: props for key, props in charts.items() if view.shown.get(key) != props}
            drawings = {key for key, props in view.charts_waiting.items() if DRAWINGS & props.keys()}
            with self._wake:
                unseen = self._sight.unseen(view.viewers, drawings)
            self._show(view, {key: view.charts_waiting.pop(key) for key in unseen})
            view.drawings = len(drawings - unseen)

    def _compute(
        self, function: Callable[[str, int], Mapping[str, Mapping[str, Any]]], view: LiveView, now_ms: int
    ) -> Content:
        start = time.perf_counter()
        content = normalise(function(view.href, now_ms))
        view.cost_s = time.perf_counter() - start
        self.compute_s += view.cost_s
        self.computed += 1
        view.failed = False
        return content

    def _show_next_chart(self, view: LiveView) -> None:
        """Send the next drawing that waits, or all that waits but drawings: each frame ends in one redraw."""
        if view.charts_waiting and self.tempo.next_chart_wait_s(view) <= 0:
            view.chart_sent_at_s = time.monotonic()
            first = next((key for key, props in view.charts_waiting.items() if DRAWINGS & props.keys()), None)
            # Its title and its description are named after it.
            keys = [key for key in view.charts_waiting if first is None or key == first or key.startswith(f"{first}-")]
            self._show(view, {key: view.charts_waiting.pop(key) for key in keys})

    def _show(self, view: LiveView, content: Content) -> int:
        """Send what differs from what the view shows to all its viewers, in one frame; return its size in bytes."""
        messages = {}
        for component_id, props in content.items():
            changed = patch_props(view.shown.get(component_id, {}), props)
            if changed:
                messages[component_id] = frames.set_props(component_id, changed)
            view.shown[component_id] = props
        if not messages:
            return 0
        drawings = frozenset(key for key in messages if DRAWINGS & content[key].keys())
        with self._wake:
            parts = self._sight.split(view.viewers, drawings)
        for unseen, viewers in parts.items():
            if not messages.keys() <= unseen:
                own = [message for component_id, message in messages.items() if component_id not in unseen]
                self.send(viewers, frames.join_messages(own))
        return sum(map(len, messages.values()))

    def _bring_back(self, view: LiveView) -> None:
        """Send whole what came into sight after it had changed out of sight."""
        with self._wake:
            missed = self._sight.back(view.viewers)
        for renderer_id, component_ids in missed.items():
            for component_id in component_ids & view.shown.keys():
                self.send([renderer_id], frames.set_props(component_id, view.shown[component_id]))

    def _tell_waiting(self, view: LiveView, status: Content) -> None:
        """Tell viewers whose page can't be computed yet what is wrong with the system."""
        with self._wake:
            waiting = list(view.joining)
        for viewer in waiting:
            known = dict(viewer.digests or {})
            for component_id, props in status.items():
                if known.get(component_id) != digest(props):
                    known[component_id] = digest(props)
                    self.send([viewer.renderer_id], frames.set_props(component_id, props))
            viewer.digests = known

    def _welcome(self, view: LiveView) -> None:
        """Bring new viewers to exactly what the view shows; from then on differences are right for them."""
        with self._wake:
            joining, view.joining = view.joining, []
            for viewer in joining:
                view.viewers.add(viewer.renderer_id)
                self._sight.caught_up(viewer.renderer_id)
                if not viewer.stays:
                    self._leave(viewer.renderer_id)
        for viewer in joining:
            if viewer.reload:
                self.send([viewer.renderer_id], frames.set_props(RELOAD_ID, {"data": time.time_ns() // 1_000_000}))
                continue
            messages = [frames.set_props(component_id, props) for component_id, props in view.new_to(viewer).items()]
            if messages:
                self.send([viewer.renderer_id], frames.join_messages(messages))
