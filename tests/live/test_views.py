"""The view engine: whatever was pushed, every viewer shows what a fresh load would show."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
import pytest

from live.diff import digests, normalise
from live.tempo import Tempo
from live.views import ViewEngine
from tests.live.driven import said
from tests.live.patching import apply_patch

Content = dict[str, dict[str, Any]]


class FakePages:
    """Two pages over a list of rows; counts how often they are computed."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.banner = ""
        self.broken = False
        self.unknown = False  # not even the view's period can be told
        self.looked = 0
        self.counts: dict[str, int] = {}
        self.lock = threading.Lock()  # protects counts

    def numbers(self, href: str, now_ms: int) -> Content:
        del now_ms
        with self.lock:
            self.counts[href] = self.counts.get(href, 0) + 1
        if self.broken:
            raise RuntimeError("the database is away")
        rows = list(self.rows)
        return {"total": {"children": str(sum(rows))}, "events": {"data": {"body": [[row] for row in rows[::-1][:20]]}}}

    def charts(self, href: str, now_ms: int) -> Content:
        del href, now_ms
        rows = list(self.rows)[-30:]
        return {name: {"figure": {"data": [{"y": rows}], "layout": {"title": name}}} for name in ("one", "two")}

    def status(self, now_ms: int) -> Content:
        del now_ms
        self.looked += 1
        return {"banner": {"children": self.banner}}

    def period_ms(self, href: str) -> int:
        if self.unknown and "mistake" in href:
            raise OverflowError("no such range")
        return 3_600_000

    def fresh(self, href: str) -> Content:
        return normalise({**self.numbers(href, 0), **self.charts(href, 0), **self.status(0)})


class Browser:
    """Applies what it is sent as Dash's renderer does."""

    def __init__(self, renderer_id: str, content: Content | None = None) -> None:
        self.renderer_id = renderer_id
        self.content: Content = orjson.loads(orjson.dumps(content or {}))
        self.frames: queue.Queue[bytes] = queue.Queue()
        self.reloads = 0

    def apply(self, payload: bytes) -> None:
        for component_id, props in said(payload):
            if component_id == "reload":
                self.reloads += 1
                continue
            shown = self.content.setdefault(component_id, {})
            for name, value in props.items():
                shown[name] = apply_patch(shown.get(name), value)

    def until(self, condition: Callable[[], bool]) -> None:
        """Apply frames until the condition holds; fails after ten seconds without a frame."""
        while not condition():
            self.apply(self.frames.get(timeout=90))


class World:
    def __init__(self) -> None:
        self.pages = FakePages()
        self.browsers: dict[str, Browser] = {}
        self.engine = ViewEngine(
            self.pages,
            self.deliver,
            tempo=Tempo(
                numbers_interval_s=0.01, charts_interval_s=0.02, chart_spacing_s=0.005, most_drawings_per_s=1e6
            ),
        )

    def deliver(self, renderer_ids: Sequence[str], payload: bytes) -> None:
        for renderer_id in renderer_ids:
            browser = self.browsers.get(renderer_id)
            if browser is not None:
                browser.frames.put(payload)

    def browse(self, renderer_id: str, href: str = "/") -> Browser:
        browser = self.browsers[renderer_id] = Browser(renderer_id, self.pages.fresh(href))
        self.engine.join(renderer_id, href, digests(browser.content))
        return browser

    def two_that_follow(self, href: str) -> tuple[Browser, Browser]:
        """Return two browsers that follow a view and show the same rows."""
        self.pages.rows = [10**15 + n for n in range(40)]  # long enough for patches to be shorter
        browsers = self.browse("r", href), self.browse("other", href)
        self.pages.rows.append(40)
        self.engine.changed()
        for browser in browsers:
            browser.until(lambda browser=browser: browser.content == self.pages.fresh(href))
        return browsers


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    world.engine.start()
    yield world
    world.engine.stop()


def test_after_any_number_of_updates_a_page_shows_what_a_fresh_load_shows(world: World) -> None:
    chance = random.Random(7)
    browsers = [world.browse(f"r{n}", "/") for n in range(3)]
    for _ in range(200):
        world.pages.rows.append(chance.randrange(100))
        world.engine.changed()
        if chance.random() < 0.1:
            browsers.append(world.browse(f"r{len(browsers)}", "/"))  # somebody opens the page in between
    for browser in browsers:
        browser.until(lambda browser=browser: browser.content == world.pages.fresh("/"))


def test_a_viewer_whose_page_is_already_right_is_sent_nothing(world: World) -> None:
    world.pages.rows = [1, 2, 3]
    first, second = world.browse("first"), world.browse("second")
    world.pages.rows.append(4)
    world.engine.changed()
    second.until(lambda: second.content["total"]["children"] == "10")
    first.until(lambda: first.content["total"]["children"] == "10")
    assert second.frames.qsize() <= 2  # at most the two charts of the change, no snapshot before it


def test_so_many_distinct_views_are_followed_and_who_leaves_makes_room(world: World) -> None:
    world.engine.most_views = 2
    for n in range(2):
        world.browse(f"r{n}", f"/{n}")
    assert not world.engine.join("late", "/2", None)
    assert (world.engine.follows("late"), world.engine.refused) == (None, 1)
    assert world.engine.join("late", "/1", None)  # somebody looks at it already
    assert not world.engine.join("late", "/2", None)
    world.engine.leave("r0")
    assert world.engine.join("late", "/2", None)


def test_a_view_that_takes_long_rests_so_that_the_others_go_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = world.pages.numbers

    def slow(href: str, now_ms: int) -> Content:
        if href == "/slow":
            time.sleep(0.05)
        return numbers(href, now_ms)

    monkeypatch.setattr(world.pages, "numbers", slow)
    browsers = [world.browse("r0", "/slow"), world.browse("r1", "/quick")]
    for n in range(30):
        world.pages.rows.append(n)
        world.engine.changed()
        browsers[1].until(lambda: browsers[1].content["total"]["children"] == str(sum(world.pages.rows)))
    browsers[0].until(lambda: browsers[0].content == world.pages.fresh("/slow"))
    assert world.pages.counts["/slow"] < world.pages.counts["/quick"]


def test_a_view_is_computed_once_for_all_who_look_at_it(world: World) -> None:
    browsers = [world.browse(f"r{n}", "/busy") for n in range(50)]
    before = world.pages.counts["/busy"]
    world.pages.rows.append(5)
    world.engine.changed()
    for browser in browsers:
        browser.until(lambda browser=browser: browser.content["total"]["children"] == "5")
    assert world.pages.counts["/busy"] - before <= 3


def test_a_viewer_that_missed_frames_gets_everything_again(world: World) -> None:
    browser = world.browse("r")
    world.pages.rows.append(1)
    world.engine.changed()
    browser.until(lambda: browser.content["total"]["children"] == "1")
    browser.content["events"] = {"data": {"body": "what nobody knows"}}
    world.engine.rejoin("r")
    browser.until(lambda: browser.content == world.pages.fresh("/"))


def test_a_viewer_that_changes_its_view_gets_the_new_one_only(world: World) -> None:
    browser = world.browse("r", "/?a=1")
    world.engine.join("r", "/?b=2", {})
    browser.until(lambda: browser.content == world.pages.fresh("/?b=2"))
    assert world.engine.follows("r") == "/?b=2"
    assert world.engine.stats()["views"] == 1


def test_a_view_that_nobody_follows_costs_nothing(world: World) -> None:
    browser = world.browse("r", "/left")
    browser.content.clear()
    world.engine.rejoin("r")
    browser.until(lambda: browser.content == world.pages.fresh("/left"))
    world.engine.leave("r")
    other = world.browse("other", "/")
    before = world.pages.counts["/left"]
    world.pages.rows.append(3)
    world.engine.changed()
    other.until(lambda: other.content["total"]["children"] == "3")
    assert world.pages.counts["/left"] == before
    assert world.engine.stats()["views"] == 1


def test_a_page_that_fails_keeps_what_it_shows_says_so_and_recovers(world: World) -> None:
    world.pages.rows = [1]
    browser = world.browse("r")
    world.pages.broken, world.pages.banner = True, "unreachable"
    world.engine.changed()
    browser.until(lambda: browser.content["banner"]["children"] == "unreachable")
    assert browser.content["total"]["children"] == "1"
    world.pages.rows.append(2)
    world.pages.broken, world.pages.banner = False, ""
    world.engine.changed()
    browser.until(lambda: browser.content == world.pages.fresh("/"))


def test_a_page_that_could_not_be_loaded_is_told_to_load_again(world: World) -> None:
    world.pages.broken = True
    browser = world.browsers["r"] = Browser("r")
    world.engine.join("r", "/", None, reload=True)
    world.pages.broken = False
    world.engine.changed()
    browser.until(lambda: browser.reloads == 1)


def test_late_frames_of_a_view_before_are_put_right_on_another_page(world: World) -> None:
    browser, _ = world.two_that_follow("/one")
    world.pages.rows.append(41)
    loaded = world.pages.fresh("/two")  # the other page is loaded with the new row ...
    browser.content = orjson.loads(orjson.dumps(loaded))
    world.engine.changed()
    browser.until(lambda: browser.content != loaded)  # ... and then comes what the first one was told of it
    world.engine.join("r", "/two", digests(loaded))
    browser.until(lambda: browser.content == world.pages.fresh("/two"))


def test_late_frames_are_put_right_on_a_paused_page_which_then_stays_as_it_is(world: World) -> None:
    browser, other = world.two_that_follow("/")
    world.pages.rows.append(41)
    loaded = world.pages.fresh("/?live=0")
    browser.content = orjson.loads(orjson.dumps(loaded))
    world.engine.changed()
    browser.until(lambda: browser.content != loaded)
    world.engine.settle("r", "/?live=0", digests(loaded))
    assert world.engine.renderers() == ["other"]
    browser.until(lambda: browser.content == loaded)
    world.pages.rows.append(42)
    world.engine.changed()
    other.until(lambda: other.content == world.pages.fresh("/"))
    assert browser.frames.empty()
    assert world.engine.stats()["views"] == 1


def test_a_page_that_was_paused_from_the_start_is_sent_nothing(world: World) -> None:
    world.engine.settle("r", "/?live=0", {})
    assert world.engine.stats()["views"] == 0


def test_a_viewer_that_missed_frames_is_not_brought_back_to_the_view_it_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = world.browse("r", "/left")
    follows = world.engine.follows

    def slow_follows(renderer_id: str) -> str | None:
        href = follows(renderer_id)
        mover.start()  # the page changes its view while the hub notices that it missed frames
        mover.join(1)
        return href

    mover = threading.Thread(target=world.engine.join, args=("r", "/new", None))
    monkeypatch.setattr(world.engine, "follows", slow_follows)
    world.engine.rejoin("r")
    monkeypatch.undo()
    if mover.ident is None:
        mover.start()
    mover.join(90)
    browser.until(lambda: browser.content == world.pages.fresh("/new"))
    assert world.engine.follows("r") == "/new"


def test_a_view_that_breaks_the_engine_stops_no_other_and_recovers(world: World) -> None:
    world.pages.unknown = True
    bad, good = world.browse("bad", "/mistake"), world.browse("good", "/")
    world.pages.rows.append(1)
    world.engine.changed()
    good.until(lambda: good.content["total"]["children"] == "1")
    assert world.engine.failures
    world.pages.unknown = False
    bad.until(lambda: bad.content == world.pages.fresh("/mistake"))


def test_waiting_for_a_page_that_cannot_be_computed_costs_nothing(world: World) -> None:
    world.pages.broken = True
    world.engine.join("r", "/", None)
    threading.Event().wait(0.3)
    assert world.pages.looked < 20


def test_who_is_on_the_way_to_another_page_gets_no_more_of_this_one(world: World) -> None:
    browser, other = world.two_that_follow("/old")
    world.engine.go("r", "/old")  # the same view under another address: it stays
    assert world.engine.follows("r") == "/old"
    world.engine.go("r", "/new")
    assert world.engine.follows("r") is None
    assert "r" in world.engine.renderers()  # its pill goes on beating
    world.pages.rows.append(1)
    world.engine.changed()
    other.until(lambda: other.content == world.pages.fresh("/old"))
    world.engine.rejoin("r")
    assert browser.frames.empty()
    browser.content = world.pages.fresh("/new")
    world.engine.join("r", "/new", digests(browser.content))
    world.pages.rows.append(2)
    world.engine.changed()
    browser.until(lambda: browser.content == world.pages.fresh("/new"))
    assert world.engine.follows("r") == "/new"
    world.engine.go("r", "/gone")
    world.engine.leave("r")
    world.engine.leave("other")
    assert world.engine.stats()["views"] == 0


def test_each_frame_of_charts_ends_in_one_redraw_and_what_is_no_drawing_goes_together(world: World) -> None:
    pages, charts = world.pages, world.pages.charts

    def with_words(href: str, now_ms: int) -> Content:
        words = {f"{name}-words": {"children": str(len(pages.rows))} for name in ("one", "two", "spark")}
        return {**charts(href, now_ms), **words}

    pages.charts = with_words  # type: ignore[method-assign]
    browser, _ = world.two_that_follow("/")
    pages.rows.append(1)
    world.engine.changed()
    frames: list[set[str]] = []
    while browser.content != pages.fresh("/"):
        payload = browser.frames.get(timeout=90)
        browser.apply(payload)
        frames.append({component_id for component_id, _ in said(payload)})
    drawn = [ids for ids in frames if "total" not in ids]
    assert drawn == [{"one", "one-words"}, {"two", "two-words"}, {"spark-words"}]


def test_components_that_left_the_page_are_not_sent_to_later_viewers(world: World) -> None:
    pages, numbers = world.pages, world.pages.numbers
    named = "card-a"
    pages.numbers = lambda href, now_ms: {**numbers(href, now_ms), named: {"children": named}}  # type: ignore[method-assign]
    first = world.browse("first")
    first.content.clear()
    world.engine.rejoin("first")
    first.until(lambda: first.content == pages.fresh("/"))
    named = "card-b"
    pages.rows.append(1)
    world.engine.changed()
    first.until(lambda: "card-b" in first.content)
    second = world.browsers["second"] = Browser("second")
    world.engine.join("second", "/", None)
    second.until(lambda: second.content == pages.fresh("/"))
    assert "card-a" not in second.content


def test_what_stands_in_a_component_that_is_sent_anew_is_sent_with_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = {"namespace": "dash_html_components", "type": "Span", "props": {"id": "inside"}}
    content = {"box": {"children": [inner]}, "inside": {"children": "text"}, "beside": {"children": "other"}}
    monkeypatch.setattr(world.pages, "numbers", lambda *_: content)
    known = digests(normalise(content))
    browser = world.browsers["r"] = Browser("r")
    world.engine.join("r", "/", {**known, "box": "of before"})
    browser.until(lambda: "inside" in browser.content)
    assert browser.content["inside"] == {"children": "text"}
    assert "beside" not in browser.content
