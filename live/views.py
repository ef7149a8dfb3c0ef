"""The view engine: compute each distinct view once, send every viewer of it only what changed.

A view is known by its canonical link alone. What a page shows is a pure function of (link, data, time); the engine
runs it again when data landed or a time bucket ended, compares with what the view showed before, and sends the
difference. Numbers move up to thirty times a second (less often the more there is to draw), charts once, or four of
them where a page has more, one chart a frame: a redraw costs a browser ~20 ms.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from live import frames
from live.diff import Content, digest, ids_inside, normalise, patch_props
from live.followed import Joining, LiveView

log = logging.getLogger(__name__)
RETRY_S = 1.0
MAX_HOLD_S = 0.25
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
        numbers_interval_s: float = 0.03,
        prompt_bytes: int = 1_200,
        numbers_bytes_per_s: float = 10_000.0,
        charts_interval_s: float = 1.0,
        chart_spacing_s: float = 0.06,
        most_drawings_per_s: float = 4.0,
        most_views: int = 300,
        rest_share: float = 4.0,
    ) -> None:
        self.pages = pages
        self.send = send
        self.numbers_interval_s = numbers_interval_s
        self.prompt_bytes = prompt_bytes
        self.numbers_bytes_per_s = numbers_bytes_per_s
        self.charts_interval_s = charts_interval_s
        self.chart_spacing_s = chart_spacing_s
        # A page of ten charts would keep a browser busy with nothing else.
        self.most_drawings_per_s = most_drawings_per_s
        self.most_views = most_views  # distinct ones; all of them are computed by one thread
        self.rest_share = rest_share  # what takes long rests so many times as long: others share the thread
        self.refused = 0
        self.computed = self.failures = 0
        self.compute_s = 0.0
        # _wake's lock protects _views, _where, each view's viewers/joining, and the flags below; pages are computed
        # and frames handed over outside of it.
        self._wake = threading.Condition()
        self._views: dict[str, LiveView] = {}
        self._where: dict[str, str] = {}  # renderer id -> href
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

    def leave(self, renderer_id: str) -> None:
        """Forget a renderer."""
        with self._wake:
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
            self._welcome(view)
        return self._rest_s(view)

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
        if view.numbers_dirty and now - view.numbers_at_s >= self._numbers_pause_s(view):
            view.numbers_dirty = False
            view.numbers_at_s = now
            numbers = self._compute(self.pages.numbers, view, now_ms)
            sent_bytes = self._show(view, numbers)
            # A single event is shown at once; where many come, nobody reads each, and a browser has to draw them all.
            surplus_bytes = max(0, sent_bytes - self.prompt_bytes)
            view.hold_s = min(MAX_HOLD_S, surplus_bytes / self.numbers_bytes_per_s)
            view.forget(view.number_ids - numbers.keys())
            view.number_ids = frozenset(numbers)
        if view.charts_dirty and now - view.charts_at_s >= self._charts_pause_s(view):
            view.charts_dirty = False
            view.charts_at_s = now
            charts = self._compute(self.pages.charts, view, now_ms)
            view.forget(view.chart_ids - charts.keys())
            view.chart_ids = frozenset(charts)
            view.charts_waiting = {key: props for key, props in charts.items() if view.shown.get(key) != props}
            view.drawings = sum(1 for props in view.charts_waiting.values() if DRAWINGS & props.keys())

    def _rest_s(self, view: LiveView) -> float:
        now = time.monotonic()
        due = [1.0]
        if view.numbers_dirty:
            due.append(view.numbers_at_s + self._numbers_pause_s(view) - now)
        if view.charts_dirty:
            due.append(view.charts_at_s + self._charts_pause_s(view) - now)
        if view.charts_waiting:
            due.append(view.chart_sent_at_s + self.chart_spacing_s - now)
        return max(0.001, min(due))

    def _numbers_pause_s(self, view: LiveView) -> float:
        return max(self.numbers_interval_s, view.hold_s, self.rest_share * view.cost_s)

    def _charts_pause_s(self, view: LiveView) -> float:
        return max(self.charts_interval_s, view.drawings / self.most_drawings_per_s, self.rest_share * view.cost_s)

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
        if view.charts_waiting and time.monotonic() - view.chart_sent_at_s >= self.chart_spacing_s:
            view.chart_sent_at_s = time.monotonic()
            first = next((key for key, props in view.charts_waiting.items() if DRAWINGS & props.keys()), None)
            # Its title and its description are named after it.
            keys = [key for key in view.charts_waiting if first is None or key == first or key.startswith(f"{first}-")]
            self._show(view, {key: view.charts_waiting.pop(key) for key in keys})

    def _show(self, view: LiveView, content: Content) -> int:
        """Send what differs from what the view shows to all its viewers, in one frame; return its size in bytes."""
        messages = []
        for component_id, props in content.items():
            changed = patch_props(view.shown.get(component_id, {}), props)
            if changed:
                messages.append(frames.set_props(component_id, changed))
            view.shown[component_id] = props
        if not messages:
            return 0
        payload = frames.join_messages(messages)
        with self._wake:
            viewers = list(view.viewers)
        self.send(viewers, payload)
        return len(payload)

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
                if not viewer.stays:
                    self._leave(viewer.renderer_id)
        for viewer in joining:
            if viewer.reload:
                self.send([viewer.renderer_id], frames.set_props(RELOAD_ID, {"data": time.time_ns() // 1_000_000}))
                continue
            known = viewer.digests or {}
            touched = viewer.before.shown if viewer.before is not None else {}
            sent = {
                component_id
                for component_id, props in view.shown.items()
                if component_id in touched or known.get(component_id) != digest(props)
            }
            # Who gets its children anew gets them bare: what is shown in them has to follow.
            inside = ids_inside([view.shown[component_id] for component_id in sent])
            messages = [
                frames.set_props(component_id, props)
                for component_id, props in view.shown.items()
                if component_id in sent or component_id in inside
            ]
            if messages:
                self.send([viewer.renderer_id], frames.join_messages(messages))
