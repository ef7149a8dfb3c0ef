"""What rules measure, compared with the same counted one by one in plain Python; from memory and from rollups."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from alerts.baselines import hours_before
from alerts.look import Look, NotMeasurable
from alerts.measure import Measurer
from alerts.measured import Measured
from alerts.rules import Baseline, Rule, rule_of
from collector.events import PageNavigation, PageScrape
from db.engine import make_engine
from db.migrate import upgrade
from db.queries import Queries
from db.recent import RecentDetail
from db.rollups import Rollups
from db.store import Store
from tests.db.samples import batch, navigation, run, scrape

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOW_MS = 1_714_564_800_000 + 25 * 60_000 + 13_000  # 12:25:13
SOURCES = ("shop-a", "shop-b", "news")
Event = PageNavigation | PageScrape

pytestmark = pytest.mark.xdist_group("alerts-measure")  # one of each fleet for all


def events_of(rng: random.Random, count: int, start_ms: int, end_ms: int) -> list[Event]:
    made: list[Event] = []
    for _ in range(count):
        source, at_ms, ok = rng.choice(SOURCES), rng.randrange(start_ms, end_ms), rng.random() < 0.7
        url = f"https://{rng.choice(('a', 'b'))}.example/{rng.randrange(30)}"
        labels = {"proxy": rng.choice(("eu", "us"))} if rng.random() < 0.8 else None
        if rng.random() < 0.5:
            made.append(
                navigation(
                    source, at_ms, navigation_duration_ms=rng.lognormvariate(6, 1), success=ok, url=url, labels=labels,
                    retry_count=rng.randrange(6), error=None if ok else "x",
                )
            )  # fmt: skip
        else:
            items = rng.choice((0, 0, 3, 9))
            told = rng.choice((None, {"title": items}, {"price": rng.randrange(items + 1), "title": items}))
            made.append(
                scrape(
                    source, at_ms, scrape_duration_ms=rng.lognormvariate(5, 1), success=ok, url=url, labels=labels,
                    items_extracted=items, fields=told, outcome=rng.choice(("ok", "blocked", "empty", None)),
                    error=None if ok else "y",
                )
            )  # fmt: skip
    return made


class Fleet:
    """A database with some events, and who asks it."""

    def __init__(
        self, folder: Path, events: list[Event], *, memory_rows: int = 250_000, exact_rows: int = 10_000
    ) -> None:
        self.events = sorted(events, key=lambda event: event.recorded_at_ms)
        self.engine = make_engine(url=f"sqlite:///{folder / 'fleet.db'}")
        upgrade(self.engine)
        self.store, memory = Store(self.engine), RecentDetail(memory_rows)
        rollups = Rollups(self.engine, clock_ms=lambda: NOW_MS)
        self.queries = Queries(self.engine, memory, rollups=rollups, clock_ms=lambda: NOW_MS, exact_rows=exact_rows)
        self.store.subscribe(memory.append)
        self.store.subscribe(rollups.mark)
        for low in range(0, len(self.events), 1_000):
            self.store.send(batch(*self.events[low : low + 1_000]))
        rollups.run_once()
        self.measurer = Measurer(self.queries)

    def measure(self, rule: Rule, now_ms: int = NOW_MS, **changes: Any) -> Measured:
        return self.measurer.measure(rule, Look(self.queries, now_ms, **changes))

    def values(self, rule: Rule, now_ms: int = NOW_MS, **changes: Any) -> dict[str, float]:
        """What was measured, by key; what couldn't be is left out."""
        found = self.measure(rule, now_ms, **changes)
        return {key: float(found.value[place]) for place, key in enumerate(found.keys) if found.known[place]}


@pytest.fixture(scope="module")
def recent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Everything in memory, counted one by one."""
    fleet = Fleet(tmp_path_factory.mktemp("recent"), events_of(random.Random(1), 2_000, NOW_MS - 2 * HOUR_MS, NOW_MS))
    yield fleet
    fleet.engine.dispose()


@pytest.fixture(scope="module")
def rolled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Little in memory, the rest in rollups."""
    events = events_of(random.Random(2), 4_000, NOW_MS - 6 * HOUR_MS, NOW_MS)
    fleet = Fleet(tmp_path_factory.mktemp("rolled"), events, memory_rows=640, exact_rows=100)
    yield fleet
    fleet.engine.dispose()


def make(what: str, **changes: Any) -> Rule:
    field = {"field": "price"} if what == "field_coverage" else {}
    return rule_of({"id": "r", "name": "R", "what": what, "threshold": 0, "window": "15m", **field} | changes)


def truth(what: str, events: list[Event], window_s: float) -> float | None:
    """Count one measure of some events out."""
    scrapes = [event for event in events if isinstance(event, PageScrape)]
    visits = [event for event in events if isinstance(event, PageNavigation)]
    good = [event for event in scrapes if event.success]
    telling = [event for event in scrapes if event.fields]
    had = sum((event.fields or {}).get("price", 0) for event in telling)
    times = [
        event.scrape_duration_ms if isinstance(event, PageScrape) else event.navigation_duration_ms for event in events
    ]
    counted: dict[str, tuple[float, float]] = {  # numerator, denominator
        "success_rate": (100 * sum(event.success for event in events), len(events)),
        "error_count": (sum(not event.success for event in events), 1 if events else 0),
        "mean_ms": (sum(times), len(times)),
        "items": (sum(event.items_extracted for event in scrapes), 1 if scrapes else 0),
        "yield": (sum(event.items_extracted for event in scrapes), len(scrapes)),
        "throughput": (len(events) * 60 / window_s, 1 if events else 0),
        "usable_success_rate": (100 * sum(event.outcome in ("ok", None) for event in good), len(scrapes)),
        "retries": (sum(min(event.retry_count, 3) for event in visits), len(visits)),
        "green_but_empty": (100 * sum(not event.items_extracted for event in good), len(good)),
        "field_coverage": (100 * had, sum(event.items_extracted for event in telling)),
        "p95_ms": (float(np.quantile(times, 0.95)) if times else 0.0, 1 if times else 0),
    }
    numerator, denominator = counted[what]
    return numerator / denominator if denominator else None


MEASURES = (
    "success_rate", "error_count", "mean_ms", "items", "yield", "throughput", "usable_success_rate", "retries",
    "green_but_empty", "field_coverage", "p95_ms",
)  # fmt: skip


def same(found: dict[str, float], wanted: dict[str, float | None], *, within: float = 1e-9) -> bool:
    wanted = {key: value for key, value in wanted.items() if value is not None}
    return found.keys() == wanted.keys() and all(
        math.isclose(found[key], value, rel_tol=within, abs_tol=1e-6)
        for key, value in wanted.items()
        if value is not None
    )


@pytest.mark.parametrize("what", MEASURES)
def test_measures_by_source_fleet_domain_and_label_are_what_was_recorded(recent: Fleet, what: str) -> None:
    inside = [event for event in recent.events if event.recorded_at_ms >= NOW_MS - 900_000]
    within = 0.011 if what == "p95_ms" else 1e-9
    by_source = {source: [event for event in inside if event.scraper_source == source] for source in SOURCES}
    by_domain = {f"{one}.example": [event for event in inside if f"//{one}.ex" in event.url] for one in "ab"}
    by_label = {
        one: [event for event in inside if event.labels and event.labels["proxy"] == one] for one in ("eu", "us")
    }
    for by, groups in (
        ("source", by_source),
        ("fleet", {"": inside}),
        ("domain", by_domain),
        ("label:proxy", by_label),
    ):
        wanted = {key: truth(what, events, 900) for key, events in groups.items()}
        assert same(recent.values(make(what, by=by)), wanted, within=within), by
    only = ["source=shop-*", "domain=a.example", "proxy!=us"]
    picked = [
        event
        for event in inside
        if event.scraper_source != "news" and "//a.ex" in event.url and (event.labels or {}).get("proxy") != "us"
    ]
    wanted = {
        source: truth(what, [event for event in picked if event.scraper_source == source], 900) for source in SOURCES
    }
    assert same(recent.values(make(what, only=only)), wanted, within=within)


@pytest.mark.parametrize("what", MEASURES)
@pytest.mark.parametrize("kind", ["all", "navigation", "scrape"])
def test_measures_from_rollups_are_what_was_recorded_since_the_full_minute(rolled: Fleet, what: str, kind: str) -> None:
    of_scrapes = ("items", "yield", "usable_success_rate", "green_but_empty", "field_coverage")
    fits = dict.fromkeys(of_scrapes, "scrape")
    if kind not in ("all", fits.get(what, kind)) or (what == "retries" and kind == "scrape"):
        return
    # Breakdowns count to the millisecond.
    exact = what in ("usable_success_rate", "retries", "green_but_empty", "field_coverage")
    start_ms = NOW_MS - 4 * HOUR_MS
    if not exact:
        start_ms = start_ms // 60_000 * 60_000
    kinds = {"navigation": PageNavigation, "scrape": PageScrape, "all": object}
    inside = [event for event in rolled.events if event.recorded_at_ms >= start_ms and isinstance(event, kinds[kind])]
    wanted = {
        source: truth(what, [one for one in inside if one.scraper_source == source], 14_400) for source in SOURCES
    }
    rule = make(what, window="4h", kind=kind)
    assert same(rolled.values(rule), wanted, within=0.011 if what == "p95_ms" else 1e-9)


def test_zero_traffic_is_no_data_and_not_bad(recent: Fleet) -> None:
    for what in MEASURES:
        found = recent.measure(make(what, when="below", threshold=1e9), NOW_MS + DAY_MS)
        assert not found.known.any()
        assert not found.bad.any()
        assert found.at(0).seen == "no_data"


def test_too_few_samples_are_no_data(recent: Fleet) -> None:
    found = recent.measure(make("success_rate", min_samples=1_000_000))
    assert not found.known.any()
    assert found.samples.sum() > 0


def test_field_that_nobody_has_is_covered_to_nothing_and_items_are_what_is_sampled(recent: Fleet) -> None:
    nobody = make("field_coverage", field="colour")
    assert recent.values(nobody) == dict.fromkeys(SOURCES, 0.0)
    assert recent.values(make("field_coverage", field="colour", by="domain")) == {"a.example": 0.0, "b.example": 0.0}
    inside = [event for event in recent.events if event.recorded_at_ms >= NOW_MS - 900_000]
    items = sum(event.items_extracted for event in inside if isinstance(event, PageScrape) and event.fields)
    assert recent.measure(make("field_coverage", by="fleet")).samples.tolist() == [items]
    title = make("field_coverage", field="title")  # asked beside the other, in the same look
    look = Look(recent.queries, NOW_MS)
    both = [recent.measurer.measure(rule, look).value.tolist() for rule in (title, make("field_coverage"))]
    assert both[0] == [100.0, 100.0, 100.0]
    assert max(both[1]) < 100


def test_sources_that_matchers_leave_out_are_not_measured(recent: Fleet) -> None:
    assert set(recent.values(make("success_rate", only=["source!=shop-*"]))) == {"news"}
    assert set(recent.values(make("success_rate", only=["source=shop-a", "source=news"]))) == {"shop-a", "news"}
    assert recent.values(make("success_rate", only=["source=nobody"], by="fleet")) == {}


def test_window_by_domain_that_memory_does_not_hold_says_so(rolled: Fleet) -> None:
    with pytest.raises(NotMeasurable, match="SCRAPEBOARD_RECENT_ROWS"):
        rolled.measure(make("success_rate", by="domain", window="4h"))


def test_thresholds_have_a_side_and_a_way_back(recent: Fleet) -> None:
    rate = recent.values(make("success_rate"))["news"]
    for rule, seen in (
        (make("success_rate", threshold=rate + 1), "bad"),
        (make("success_rate", threshold=rate - 1), "fine"),
        (make("success_rate", threshold=rate - 1, recover=rate + 1), "between"),
        (make("success_rate", threshold=rate - 1, when="above"), "bad"),
    ):
        found = recent.measure(rule)
        assert found.at(found.keys.index("news")).seen == seen


def test_silence_is_counted_from_the_last_metric_or_since_somebody_listened(recent: Fleet) -> None:
    last_ms = max(event.recorded_at_ms for event in recent.events if event.scraper_source == "news")
    rule = make("no_data", threshold=60, window="1d")
    assert recent.values(rule, NOW_MS + HOUR_MS)["news"] == (NOW_MS + HOUR_MS - last_ms) / 1000
    assert recent.values(rule, NOW_MS + HOUR_MS, listening_since_ms=NOW_MS + HOUR_MS - 5_000)["news"] == 5
    assert recent.values(rule, NOW_MS + 3 * DAY_MS) == {}  # gone: nobody misses it any more


@pytest.fixture(scope="module")
def habitual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A shop that brings ten items at noon and one at any other hour, in each of the last nine days; and a new one."""
    events: list[Event] = []
    for day in range(1, 10):
        for hour in range(24):
            start_ms = NOW_MS // HOUR_MS * HOUR_MS - 12 * HOUR_MS - day * DAY_MS + hour * HOUR_MS
            events += [
                scrape(
                    "shop", start_ms + 60_000 * n, items_extracted=10 + day if hour == 12 else 1,
                    fields={"price": 10, "size": 5} if hour == 12 else {"price": 0},
                )
                for n in range(4)
            ]  # fmt: skip
    events += [scrape("shop", NOW_MS - 1_000 * n, items_extracted=5, fields={"price": 2}) for n in range(20)]
    events += [scrape("new", NOW_MS - 1_000 * n, items_extracted=5) for n in range(20)]
    fleet = Fleet(tmp_path_factory.mktemp("habitual"), events, memory_rows=320, exact_rows=10)
    yield fleet
    fleet.engine.dispose()


def test_usual_is_the_median_of_the_same_hour(habitual: Fleet) -> None:
    document = {"id": "r", "name": "R", "what": "yield", "window": "15m"}
    rule = rule_of(document | {"baseline": {"days": 7, "tolerance_percent": 50}})
    found = habitual.measure(rule)
    shop, new = found.keys.index("shop"), found.keys.index("new")
    assert found.threshold[shop] == median(10 + day for day in range(1, 8)) / 2
    assert found.at(shop).seen == "bad"  # five, not fourteen
    assert found.at(new).seen == "no_data"  # nobody knows what is usual for it
    fleet = habitual.measure(rule.model_copy(update={"by": "fleet"}))
    assert fleet.threshold[0] == found.threshold[shop]


def test_usual_coverage_is_that_of_the_field_at_the_same_hour(habitual: Fleet) -> None:
    for field, usual in (("price", 10), ("size", 5), ("colour", 0)):
        document = {"id": "r", "name": "R", "what": "field_coverage", "field": field, "window": "15m"}
        rule = rule_of(document | {"baseline": {"days": 7, "tolerance_percent": 50}})
        found = habitual.measure(rule)
        shop = found.keys.index("shop")
        wanted = median(100 * usual / (10 + day) for day in range(1, 8)) / 2
        assert math.isclose(found.threshold[shop], wanted, abs_tol=1e-9)
        assert found.value[shop] == (40.0 if field == "price" else 0.0)
        # Nobody misses a field that was never there.
        assert found.at(shop).seen == {"price": "fine", "size": "bad", "colour": "fine"}[field]
        together = habitual.measure(rule.model_copy(update={"by": "fleet"}))
        assert math.isclose(together.threshold[0], wanted, abs_tol=1e-9)


def test_threshold_and_baseline_must_both_be_crossed(habitual: Fleet) -> None:
    baseline = Baseline(days=7, tolerance_percent=50)
    for threshold, seen in ((4.0, "fine"), (6.0, "bad"), (100.0, "bad")):
        found = habitual.measure(make("yield", threshold=threshold).model_copy(update={"baseline": baseline}))
        assert found.at(found.keys.index("shop")).seen == seen


def test_silence_is_bad_only_where_metrics_were_due(habitual: Fleet) -> None:
    rule = make("no_data", threshold=60, window="7d", baseline={"days": 7}, min_samples=10)
    two_hours, six_hours = (habitual.measure(rule, NOW_MS + hours * HOUR_MS) for hours in (2, 6))
    place = two_hours.keys.index("shop")
    assert two_hours.at(place).seen == "between"  # eight would have been due
    assert six_hours.at(place).seen == "bad"
    assert six_hours.samples[place] >= 10
    assert six_hours.at(six_hours.keys.index("new")).seen == "between"


def test_hours_before_follow_the_clock_on_the_wall() -> None:
    # The clocks of Berlin went forward on 31 March 2024: the same hour on the wall is an hour later in UTC before it.
    noon_ms = 1_711_965_600_000  # 2024-04-01 10:00 UTC, 12:00 in Berlin
    first, second = hours_before(noon_ms, Baseline(days=2, timezone="Europe/Berlin"))
    assert (noon_ms - first, noon_ms - second) == (DAY_MS, 2 * DAY_MS - HOUR_MS)
    assert hours_before(noon_ms, Baseline(days=14, same_weekday=True)) == (noon_ms - 7 * DAY_MS, noon_ms - 14 * DAY_MS)


def test_rules_by_job_count_its_runs(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, [])
    runs = [run("crawl", NOW_MS - n * 60_000, success=n not in (0, 1, 4), items_processed=n) for n in range(10)]
    fleet.store.send(batch(*runs, run("other", NOW_MS - 1)))
    values = {
        what: fleet.values(make(what, by="job", window="1h"))
        for what in ("success_rate", "error_count", "run_failed", "items", "mean_ms")
    }
    assert values["success_rate"] == {"crawl": 70.0, "other": 100.0}
    assert values["error_count"] == {"crawl": 3.0, "other": 0.0}
    assert values["run_failed"] == {"crawl": 2.0, "other": 0.0}
    assert values["items"] == {"crawl": 45.0, "other": 7.0}
    assert values["mean_ms"] == {"crawl": 2000.0, "other": 2000.0}
    assert fleet.values(make("run_failed", by="job", only=["job=o*"])) == {"other": 0.0}
    fleet.engine.dispose()
