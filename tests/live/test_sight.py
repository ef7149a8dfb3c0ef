"""Charts that are out of a page's sight: not sent, not counted, and there as soon as they are seen again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from live.diff import digests, normalise
from live.followed import LiveView
from live.sight import MOST_CHARTS, Glance, Sight
from live.views import ViewEngine
from tests.live.driven import AT_ONCE, said
from tests.live.patching import apply_patch

CHARTS = ("one", "two", "three")
READERS = ("r", "s")
Content = dict[str, dict[str, Any]]


class Page:
    """Three charts over a list of rows."""

    def __init__(self) -> None:
        self.rows = [10**15 + n for n in range(40)]  # long enough for patches to be shorter

    def numbers(self, _href: str, _now_ms: int) -> Content:
        return {"total": {"children": str(sum(self.rows))}}

    def charts(self, _href: str, _now_ms: int) -> Content:
        drawn: Content = {name: {"figure": {"data": [{"y": self.rows[-30:], "name": name}]}} for name in CHARTS}
        return drawn | {f"{name}-words": {"children": f"{len(self.rows)} rows"} for name in CHARTS}

    def status(self, _now_ms: int) -> Content:
        return {}

    def period_ms(self, _href: str) -> int:
        return 3_600_000

    def fresh(self) -> Content:
        return normalise(self.numbers("/", 0) | self.charts("/", 0))


class Readers:
    """Two browsers that follow one view; the engine is driven by hand, so that nothing waits for a clock."""

    def __init__(self) -> None:
        self.page = Page()
        self.shown: dict[str, Content] = {name: self.page.fresh() for name in READERS}
        self.sent: list[tuple[str, str]] = []  # to whom, of which component
        self.engine = ViewEngine(self.page, self.deliver, tempo=AT_ONCE)
        for name in READERS:
            self.engine.join(name, "/", digests(self.shown[name]))
        self.advance()
        self.sent.clear()
        self.clock_ms = 0.0

    @property
    def view(self) -> LiveView:
        return self.engine._views["/"]

    def deliver(self, renderers: Sequence[str], payload: bytes) -> None:
        for component_id, props in said(payload):
            for name in renderers:
                self.sent.append((name, component_id))
                shown = self.shown[name].setdefault(component_id, {})
                for prop, value in props.items():
                    shown[prop] = apply_patch(shown.get(prop), value)

    def advance(self) -> None:
        self.view.numbers_dirty = self.view.charts_dirty = True
        self.engine._advance(self.view)
        while self.view.charts_waiting:
            self.engine._advance(self.view)

    def land(self) -> None:
        self.page.rows.append(len(self.page.rows))
        self.advance()

    def tell(self, name: str, seen: Mapping[str, bool]) -> None:
        self.clock_ms += 1
        self.engine.sees(name, {chart: Glance(self.clock_ms, is_seen) for chart, is_seen in seen.items()})


def test_a_chart_out_of_sight_is_sent_to_those_who_see_it_only() -> None:
    readers = Readers()
    readers.tell("r", {"one": True, "two": False})
    readers.land()
    assert {component_id for name, component_id in readers.sent if name == "s"} >= set(CHARTS)
    assert {component_id for name, component_id in readers.sent if name == "r"} == set(readers.page.fresh()) - {"two"}


def test_a_chart_that_comes_into_sight_is_sent_at_once_and_once() -> None:
    readers = Readers()
    readers.tell("r", {"two": False})
    readers.land()
    readers.land()
    readers.sent.clear()
    readers.tell("r", {"two": True})
    readers.engine._advance(readers.view)
    readers.engine._advance(readers.view)
    assert readers.sent == [("r", "two")]
    assert readers.shown["r"] == readers.page.fresh()


def test_a_chart_that_did_not_change_out_of_sight_is_not_sent_again() -> None:
    readers = Readers()
    readers.tell("r", {"two": False})
    readers.tell("r", {"two": True})
    readers.engine._advance(readers.view)
    assert readers.sent == []


def test_what_nobody_sees_takes_no_time_from_what_somebody_sees() -> None:
    readers = Readers()
    for name in READERS:
        readers.tell(name, {"two": False, "three": False})
    readers.land()
    assert readers.view.drawings == 1
    assert {component_id for _, component_id in readers.sent} & set(CHARTS) == {"one"}


def test_what_is_told_late_says_nothing() -> None:
    readers = Readers()
    readers.engine.sees("r", {"two": Glance(20.0, seen=True)})
    readers.engine.sees("r", {"two": Glance(10.0, seen=False)})  # another thread was quicker
    readers.land()
    assert readers.shown["r"] == readers.page.fresh()


def test_a_page_that_is_loaded_anew_sees_everything_until_it_tells_otherwise() -> None:
    readers = Readers()
    readers.tell("r", dict.fromkeys(CHARTS, False))
    readers.engine.join("r", "/", digests(readers.shown["r"]))
    readers.advance()
    readers.land()
    assert readers.shown["r"] == readers.page.fresh()


def test_a_page_that_missed_frames_still_tells_what_it_does_not_see() -> None:
    readers = Readers()
    readers.tell("r", {"two": False})
    readers.engine.rejoin("r")
    readers.land()  # everything is sent once, then what is seen
    readers.sent.clear()
    readers.land()
    assert ("r", "two") not in readers.sent
    readers.tell("r", {"two": True})
    readers.advance()
    assert readers.shown["r"] == readers.page.fresh()


def test_who_is_gone_or_tells_too_much_is_not_remembered() -> None:
    readers = Readers()
    readers.engine.sees("nobody", {"one": Glance(1.0, seen=False)})
    readers.tell("r", {f"chart{n}": False for n in range(10 * MOST_CHARTS)})
    assert len(readers.engine._sight._pages["r"].told) == MOST_CHARTS
    readers.engine.leave("r")
    assert readers.engine._sight._pages == {}


def test_a_chart_that_is_seen_by_nobody_among_nobody_is_unseen() -> None:
    assert Sight().unseen((), CHARTS) == set(CHARTS)
    assert Sight().unseen(("r",), CHARTS) == set()


doing = st.one_of(
    st.just("land"),
    st.just("look"),
    st.sampled_from(READERS),  # misses frames and joins again
    st.tuples(st.sampled_from(READERS), st.dictionaries(st.sampled_from(CHARTS), st.booleans())),
)


@given(st.lists(doing, max_size=20))
def test_whoever_looks_sees_what_a_fresh_load_shows(steps: list[str | tuple[str, dict[str, bool]]]) -> None:
    readers = Readers()
    seen = {name: dict.fromkeys(CHARTS, True) for name in READERS}
    for step in steps:
        if isinstance(step, tuple):
            seen[step[0]] |= step[1]
            readers.tell(*step)
        elif step in READERS:
            readers.engine.rejoin(step)
        elif step == "land":
            readers.land()
        readers.engine._advance(readers.view)
        fresh = readers.page.fresh()
        for name in READERS:
            rest = {chart for chart, is_seen in seen[name].items() if not is_seen}
            assert {key: props for key, props in readers.shown[name].items() if key not in rest} == {
                key: props for key, props in fresh.items() if key not in rest
            }
    for name in READERS:
        readers.tell(name, dict.fromkeys(CHARTS, True))
    readers.advance()
    assert all(readers.shown[name] == readers.page.fresh() for name in READERS)
