"""Windows by domain and label that memory doesn't hold: read piece by piece, and right to the row."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts.evaluator import Evaluator
from alerts.look import Look, NotMeasurable
from alerts.measure import Measurer
from alerts.past import NotYet, Past
from alerts.rules import Rule
from alerts.setting import Setting
from db.cells import HOUR_MS, SLOT_MS
from tests.alerts.test_measure import MEASURES, NOW_MS, SOURCES, Event, Fleet, events_of, make, same, truth
from tests.db.samples import batch, navigation

pytestmark = pytest.mark.xdist_group("alerts-past")  # one fleet for most


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Six hours of metrics, of which memory holds one; nobody adds to them."""
    found = made(tmp_path_factory.mktemp("past"))
    yield found
    found.engine.dispose()


def made(folder: Path) -> Fleet:
    return Fleet(folder, events_of(random.Random(2), 4_000, NOW_MS - 6 * HOUR_MS, NOW_MS), memory_rows=640)


def patient(fleet: Fleet, rule: Rule, now_ms: int = NOW_MS) -> dict[str, float]:
    """What a rule measures as soon as all of it was read."""
    while True:
        try:
            return fleet.values(rule, now_ms)
        except NotYet:
            continue


def counted(events: list[Event], what: str, by: str, window_s: float) -> dict[str, float | None]:
    keys: dict[str, list[Event]] = {}
    for event in events:
        key = {
            "source": event.scraper_source, "domain": event.url.split("/")[2], "fleet": "",
            "label:proxy": (event.labels or {}).get("proxy"),
        }[by]  # fmt: skip
        if key is not None:
            keys.setdefault(key, []).append(event)
    return {key: truth(what, found, window_s) for key, found in keys.items()}


def since(events: list[Event], window_ms: int, now_ms: int = NOW_MS) -> list[Event]:
    start_ms = (now_ms - window_ms) // SLOT_MS * SLOT_MS
    return [event for event in events if start_ms <= event.recorded_at_ms <= now_ms]


def test_long_windows_by_domain_and_label_are_what_was_recorded_since_the_full_five_minutes(fleet: Fleet) -> None:
    fleet.measurer = Measurer(fleet.queries, Past(fleet.queries, rows_a_look=700))
    inside = since(fleet.events, 4 * HOUR_MS)
    only = ["source=shop-*", "domain=a.example", "proxy!=us"]
    picked = [
        event
        for event in inside
        if event.scraper_source in SOURCES[:2] and "//a.ex" in event.url and (event.labels or {}).get("proxy") != "us"
    ]
    for what in MEASURES:
        within = 0.011 if what == "p95_ms" else 1e-9
        for by in ("domain", "label:proxy"):
            found = patient(fleet, make(what, by=by, window="4h"))
            assert same(found, counted(inside, what, by, 14_400), within=within), (what, by)
        for by in ("source", "fleet"):
            found = patient(fleet, make(what, by=by, window="4h", only=only))
            assert same(found, counted(picked, what, by, 14_400), within=within), (what, by)


def test_one_look_reads_a_bounded_number_of_rows_and_the_rule_waits(fleet: Fleet) -> None:
    fleet.measurer = Measurer(fleet.queries, Past(fleet.queries, rows_a_look=500))
    rule = make("error_count", by="domain", window="5h")
    for _ in range(4):  # memory holds about six hundred of the 3,300 rows
        with pytest.raises(NotYet, match="are being read from the database"):
            fleet.measure(rule)
    assert same(patient(fleet, rule), counted(since(fleet.events, 5 * HOUR_MS), "error_count", "domain", 18_000))


def test_rows_of_one_millisecond_are_never_torn_apart(tmp_path: Path) -> None:
    at_ms = NOW_MS - 3 * HOUR_MS
    events: list[Event] = [navigation("shop-a", at_ms + (n > 40), url="https://a.example/") for n in range(80)]
    events += [navigation("shop-a", NOW_MS - n, url="https://a.example/") for n in range(200)]
    fleet = Fleet(tmp_path, events)
    fleet.queries._recent.forget_before(NOW_MS - HOUR_MS)
    for rows in (1, 10, 41, 80, 81):
        fleet.measurer = Measurer(fleet.queries, Past(fleet.queries, rows_a_look=rows))
        assert patient(fleet, make("throughput", by="domain", window="4h")) == {"a.example": 280 / 240}
    fleet.engine.dispose()


def test_late_rows_are_counted_and_time_goes_on(tmp_path: Path) -> None:
    fleet = made(tmp_path)
    fleet.measurer = Measurer(fleet.queries, Past(fleet.queries))
    rule, events = make("items", by="domain", window="4h"), list(fleet.events)
    patient(fleet, rule)
    rng, now_ms = random.Random(3), NOW_MS
    for minutes in (1, 3, 9, 70):
        # Some of now, and some that waited in a spool for an hour and a half.
        new = events_of(rng, 30, now_ms, now_ms + minutes * 60_000)
        new += events_of(rng, 5, now_ms - 90 * 60_000, now_ms - 80 * 60_000)
        fleet.store.send(batch(*new))
        events += new
        now_ms += minutes * 60_000
        found = patient(fleet, rule, now_ms)
        assert same(found, counted(since(events, 4 * HOUR_MS, now_ms), "items", "domain", 14_400)), minutes
    fleet.engine.dispose()


def test_rule_that_waits_for_the_past_says_so_and_leaves_its_alerts_as_they_are(fleet: Fleet) -> None:
    rule = make("error_count", by="domain", window="4h", threshold=1)
    evaluator = Evaluator(Measurer(fleet.queries, Past(fleet.queries)).measure)
    evaluator.keep(evaluator.evaluate(Setting((rule,)), [rule], Look(fleet.queries, NOW_MS)))
    assert {alert.key for alert in evaluator.alerts() if alert.state.active} == {"a.example", "b.example"}
    # Another process takes over, which has read nothing yet.
    after = Evaluator(Measurer(fleet.queries, Past(fleet.queries, rows_a_look=100)).measure)
    after._alerts = {rule.id: {alert.key: alert for alert in evaluator.alerts()}}
    outcome = after.evaluate(Setting((rule,)), [rule], Look(fleet.queries, NOW_MS))
    after.keep(outcome)
    assert "are being read" in outcome.problems[rule.id]
    assert {alert.key: alert.state.standing for alert in after.alerts()} == {
        "": "error", "a.example": "firing", "b.example": "firing",
    }  # fmt: skip
    while after.evaluate(Setting((rule,)), [rule], Look(fleet.queries, NOW_MS)).problems:
        pass
    outcome = after.evaluate(Setting((rule,)), [rule], Look(fleet.queries, NOW_MS))
    after.keep(outcome)
    assert {alert.key for alert in after.alerts()} == {"a.example", "b.example"}


def test_memory_that_holds_less_than_two_minutes_says_so(tmp_path: Path) -> None:
    events: list[Event] = [navigation("shop-a", NOW_MS - n, url="https://a.example/") for n in range(400)]
    fleet = Fleet(tmp_path, events, memory_rows=100)
    fleet.measurer = Measurer(fleet.queries, Past(fleet.queries))
    with pytest.raises(NotMeasurable, match="SCRAPEBOARD_RECENT_ROWS"):
        fleet.measure(make("throughput", by="domain", window="1h"))
    fleet.engine.dispose()


def test_label_with_too_many_values_is_refused_and_not_cut(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.past._MOST_NUMBERS", 200)
    fleet.measurer = Measurer(fleet.queries, Past(fleet.queries))
    for _ in range(2):
        with pytest.raises(NotMeasurable, match="more to tell apart than can be kept"):
            fleet.measure(make("throughput", by="label:proxy", window="4h"))
    assert fleet.values(make("throughput", by="source", window="4h")).keys() == set(SOURCES)


def test_too_many_ways_to_tell_apart_are_refused(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.past._MOST_NEEDS", 1)
    fleet.measurer = Measurer(fleet.queries, Past(fleet.queries))
    assert patient(fleet, make("throughput", by="label:proxy", window="2h")).keys() == {"eu", "us"}
    with pytest.raises(NotMeasurable, match="more than 1 ways"):
        fleet.measure(make("throughput", by="domain", window="2h"))
    # What nobody asks for any more is forgotten, and makes room.
    assert patient(fleet, make("throughput", by="domain", window="2h"), NOW_MS + HOUR_MS // 4)
