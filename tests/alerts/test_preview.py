"""When a rule would have fired: the times of an outage that history shows, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from alerts.preview import Episode, preview
from alerts.rules import Rule, rule_of
from collector.events import Metric
from tests.alerts.simulator import MINUTE_MS, World, every, moment, pages, scrapes
from tests.db.samples import run

NOW = "2024-05-08 12:00"


def script(at_ms: int) -> Iterable[Metric]:
    down = moment("2024-05-05 10:00") <= at_ms < moment("2024-05-05 11:00") or at_ms >= moment("2024-05-08 11:30")
    yield from pages("shop", at_ms, 4, failing=float(down))
    fields = {"title": 5} if down else {"title": 5, "price": 5}
    yield from scrapes("shop", at_ms, 2, outcome="blocked" if down else "ok", fields=fields)
    yield from pages("news", at_ms, 4)


def make(**changes: Any) -> Rule:
    document = {"id": "r", "name": "R", "what": "success_rate", "threshold": 70, "window": "15m", "min_samples": 2}
    return rule_of(document | changes)


def at(text: str) -> int:
    return moment(f"2024-05-0{text}")


def test_preview_tells_when_a_rule_would_have_fired(tmp_path: Path) -> None:
    with World(tmp_path, NOW) as world:
        world.past(every(10 * MINUTE_MS, "2024-05-01 12:00", NOW, script))

        def episodes(**changes: Any) -> tuple[Episode, ...]:
            found = preview(world.queries, make(**changes), world.now_ms)
            assert found.problem == ""
            return found.episodes

        # A window tells at its end: the one from 10:00 to 10:15 is the first that is bad.
        once = Episode("shop", at("5 10:15"), at("5 11:15"))
        assert episodes() == (once, Episode("shop", at("8 11:45"), None))
        assert episodes(only=["source=news"]) == ()
        assert episodes(**{"for": "1h"}) == ()
        assert episodes(by="fleet", what="error_count", threshold=5)[0].key == ""
        assert episodes(what="usable_success_rate", threshold=60)[0] == once
        assert episodes(what="field_coverage", field="price", threshold=60) == (
            once,
            Episode("shop", at("8 11:45"), None),
        )
        assert episodes(what="field_coverage", field="title") == ()
        assert episodes(what="field_coverage", field="price", threshold=60, by="fleet")[0].fired_ms == once.fired_ms
        assert episodes(what="success_rate", by="domain", window="10m")[0].key == "shop.example"
        usual = {"baseline": {"days": 3, "tolerance_percent": 30}, "threshold": None}
        assert episodes(**usual)[0] == once


def test_preview_knows_what_fires_now_and_a_patience_shorter_than_the_window(tmp_path: Path) -> None:
    with World(tmp_path, "2024-05-08 11:42") as world:
        world.past(every(10 * MINUTE_MS, "2024-05-05 09:00", "2024-05-08 11:42", script))
        found = preview(world.queries, make(**{"for": "3m"}), world.now_ms)
        # The last whole window ends at 11:30, when nothing failed yet; the one up to now is bad.
        assert found.end_ms == at("8 11:30")
        assert found.episodes == (
            Episode("shop", at("5 10:15"), at("5 11:15")), Episode("shop", at("8 11:42"), None),
        )  # fmt: skip


def test_preview_by_domain_says_when_memory_holds_less_than_the_window(tmp_path: Path) -> None:
    with World(tmp_path, NOW) as world:
        world.past(every(10 * MINUTE_MS, "2024-05-08 06:00", NOW, script))
        world.queries._recent.forget_before(at("8 11:00"))
        found = preview(world.queries, make(by="domain", window="3h"), world.now_ms)
        assert "memory holds by domain and label, now 1 h: less than the window" in found.problem
        assert preview(world.queries, make(by="domain", window="15m"), world.now_ms).problem == ""


def test_short_windows_reach_back_less_far_and_say_so(tmp_path: Path) -> None:
    with World(tmp_path, NOW) as world:
        found = preview(world.queries, make(window="1m"), world.now_ms)
        assert (found.end_ms - found.start_ms, found.step_ms) == (2_016 * MINUTE_MS, MINUTE_MS)
        assert preview(world.queries, make(window="5m"), world.now_ms).start_ms == moment(NOW) - 7 * 86_400_000


def test_preview_by_job_looks_at_its_runs(tmp_path: Path) -> None:
    with World(tmp_path, NOW) as world:
        hours = range(moment("2024-05-01 12:00"), moment(NOW), 60 * MINUTE_MS)
        bad = range(at("6 08:00"), at("6 12:00"))
        world.past(run("crawl", at_ms, success=at_ms not in bad) for at_ms in hours)
        (found,) = preview(
            world.queries, make(what="run_failed", by="job", threshold=0, min_samples=1, window="7d"), world.now_ms
        ).episodes
        assert at("6 08:00") <= found.fired_ms < at("6 09:00")
        assert found.resolved_ms is not None
        assert at("6 12:00") <= found.resolved_ms < at("6 13:00")
