"""Recorded histories replayed on a fake clock, with the default rules: what is told is exactly what is expected."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from alerts.rules import Rule, rule_of
from alerts.schedules import JobPlan
from alerts.silences import Silence
from collector.events import Metric
from collector.run_events import ScraperRun
from tests.alerts.simulator import HOUR_MS, MINUTE_MS, Told, World, every, moment, pages, scrapes
from tests.db.samples import run
from tests.db.samples import told as heartbeat


def told(world: World) -> list[Told]:
    """What was told, after making sure that the outbox says the same."""
    assert world.outbox() == world.told()
    assert world.service.problems == {}
    return world.told()


def low(**changes: Any) -> Rule:
    """A rule without patience."""
    document = {"id": "low", "name": "Low", "what": "success_rate", "threshold": 50, "window": "1m", "min_samples": 5}
    return rule_of(document | changes)


def test_outage_of_a_domain_is_one_message_and_its_end_another(tmp_path: Path) -> None:
    def script(at_ms: int) -> Iterable[Metric]:
        down = moment("2024-05-01 12:30") <= at_ms < moment("2024-05-01 12:50")
        for source in ("shop-a", "shop-b"):
            yield from pages(source, at_ms, 10, failing=float(down), url="https://shop.example/p", error="HTTP 503")
        yield from pages("news", at_ms, 10)

    with World(tmp_path, "2024-05-01 12:10") as world:
        world.run("2024-05-01 13:20", script)
        assert told(world) == [
            Told("12:35:30", "firing", "everything-fails", ("shop-a", "shop-b")),
            Told("12:54:30", "resolved", "everything-fails", (), ("shop-a", "shop-b")),
        ]
        assert world.notices[0].reasons == {"domain": "shop.example", "error": "HTTP 503"}
        assert world.notices[1].resolved[0].resolved_ms == moment("2024-05-01 12:54") + 30_000
        assert world.alerts.history(0, world.now_ms, whats=("resolved",))  # the quieter rule is in the history


def test_alert_of_a_source_that_is_gone_ends_because_there_is_no_data(tmp_path: Path) -> None:
    def script(at_ms: int) -> Iterable[Metric]:
        if at_ms < moment("2024-05-01 12:05"):
            yield from pages("old", at_ms, 10, failing=1.0)
        yield from pages("shop", at_ms, 10)

    with World(tmp_path, "2024-05-01 12:00") as world:
        world.only(low())
        world.run("2024-05-01 12:10", script)
        assert [(one.what, one.firing, one.resolved) for one in told(world)] == [
            ("firing", ("old",), ()), ("resolved", (), ("old",)),
        ]  # fmt: skip
        assert world.notices[-1].resolved[0].because == "no data"


def test_slow_creep_is_told_once(tmp_path: Path) -> None:
    def script(at_ms: int) -> Iterable[Metric]:
        hours = max(0.0, (at_ms - moment("2024-05-01 12:30")) / HOUR_MS)
        mended = at_ms >= moment("2024-05-01 15:00")
        return pages("shop", at_ms, 20, failing=0.0 if mended else min(0.4, 0.2 * hours))

    with World(tmp_path, "2024-05-01 12:00") as world:
        world.run("2024-05-01 16:00", script, step_s=60)
        assert told(world) == [
            Told("13:40", "firing", "low-success", ("shop",)),
            Told("15:16", "resolved", "low-success", (), ("shop",)),
        ]


def test_flapping_is_told_twice_and_then_held(tmp_path: Path) -> None:
    def script(at_ms: int) -> Iterable[Metric]:
        bad = at_ms // MINUTE_MS % 20 < 10 and at_ms < moment("2024-05-01 14:30")
        return pages("shop", at_ms, 10, failing=float(bad))

    with World(tmp_path, "2024-05-01 12:00") as world:
        world.run("2024-05-01 15:10", script)
        assert [(one.at, one.what) for one in told(world)] == [
            ("12:01:30", "firing"), ("12:14:30", "resolved"), ("12:25:30", "firing"), ("12:34:30", "resolved"),
            ("12:45:30", "firing"), ("15:02:30", "resolved"),
        ]  # fmt: skip


def test_nights_off_are_no_silence_and_a_real_one_is(tmp_path: Path) -> None:
    def script(at_ms: int) -> Iterable[Metric]:
        if 6 <= at_ms // HOUR_MS % 24 < 22:
            yield from pages("office", at_ms, 5)
        if not moment("2024-05-09 02:00") <= at_ms < moment("2024-05-09 03:00"):
            yield from pages("always", at_ms, 5)

    with World(tmp_path, "2024-05-08 21:00") as world:
        world.past(every(10 * MINUTE_MS, "2024-05-04 00:00", "2024-05-08 21:00", script))
        world.run("2024-05-09 07:00", script, step_s=120)
        assert told(world) == [
            Told("02:18+1", "firing", "silent", ("always",)),
            Told("03:00+1", "resolved", "silent", (), ("always",)),
        ]


def test_challenge_pages_with_status_200_are_told(tmp_path: Path) -> None:
    def script(at_ms: int) -> Iterable[Metric]:
        challenged = moment("2024-05-01 12:30") <= at_ms < moment("2024-05-01 13:00")
        yield from pages("shop", at_ms, 5, status_code=200)
        bad = {"outcome": "blocked", "items_extracted": 0}
        yield from scrapes("shop", at_ms, 5, success=True, **(bad if challenged else {}))

    with World(tmp_path, "2024-05-01 12:00") as world:
        world.run("2024-05-01 13:30", script)
        assert told(world) == [
            Told("12:39:30", "firing", "blocked", ("shop",)),
            Told("13:15:30", "resolved", "blocked", (), ("shop",)),
        ]
        assert world.notices[0].reasons == {"domain": "shop.example", "outcome": "blocked"}


def test_scrapes_without_items_are_told_where_they_are_unusual(tmp_path: Path) -> None:
    def script(at_ms: int) -> Iterable[Metric]:
        broken = at_ms >= moment("2024-05-08 12:30")
        yield from scrapes("shop", at_ms, 5, items_extracted=0 if broken else 20, outcome=None)
        yield from scrapes("health-check", at_ms, 5, items_extracted=0, outcome=None)

    with World(tmp_path, "2024-05-08 12:00") as world:
        world.past(every(10 * MINUTE_MS, "2024-05-04 10:00", "2024-05-08 12:00", script))
        world.run("2024-05-08 13:10", script, step_s=60)
        assert told(world) == [Told("12:59", "firing", "green-but-empty", ("shop",))]


def test_field_that_goes_missing_while_pages_answer_200_is_told(tmp_path: Path) -> None:
    def script(at_ms: int) -> Iterable[Metric]:
        renamed = moment("2024-05-08 12:30") <= at_ms < moment("2024-05-08 13:00")
        for source in ("shop", "other"):
            missing = renamed and source == "shop"
            yield from pages(source, at_ms, 5, status_code=200)
            yield from scrapes(source, at_ms, 5, fields={"title": 5} if missing else {"title": 5, "price": 5})
        yield from scrapes("news", at_ms, 5, fields={"title": 5})  # never had a price

    price = {
        "id": "price", "name": "Prices go missing", "what": "field_coverage", "field": "price", "window": "10m",
        "for": "2m", "keep_firing_for": "5m", "min_samples": 100,
    }  # fmt: skip
    rules = (
        rule_of(price | {"baseline": {"days": 7, "tolerance_percent": 20, "recover_percent": 10}}),
        rule_of(price | {"id": "by-domain", "threshold": 50, "by": "domain", "only": ["domain!=news.example"]}),
    )
    with World(tmp_path, "2024-05-08 12:10") as world:
        world.past(every(10 * MINUTE_MS, "2024-05-04 11:00", "2024-05-08 12:10", script))
        world.settings.put_all("rules", {rule.id: rule.document() for rule in rules}, by="test")
        world.run("2024-05-08 13:20", script)
        # A window has 20 looks of five scrapes and one scrape more: below 80% (of 100% that are usual) with the fifth
        # look without, at 12:32, below 50% with the eleventh, at 12:35, and two minutes of patience. It comes back at
        # 13:00: 50% with the eleventh, at 13:05, 90% with the nineteenth, at 13:09, and five minutes are waited.
        # No default rule notices any of it.
        assert told(world) == [
            Told("12:34", "firing", "price", ("shop",)),
            Told("12:37", "firing", "by-domain", ("shop.example",)),
            Told("13:10", "resolved", "by-domain", (), ("shop.example",)),
            Told("13:14", "resolved", "price", (), ("shop",)),
        ]


def test_run_that_is_killed_is_told_as_lost_and_not_as_missed(tmp_path: Path) -> None:
    start_ms = moment("2024-05-01 12:00")

    def script(at_ms: int) -> Iterable[Metric | ScraperRun]:
        # kill -9 after the heartbeat of 12:10: it says nothing any more, not even that it failed.
        if start_ms <= at_ms <= moment("2024-05-01 12:10"):
            yield heartbeat("killed", at_ms, name="nightly", started_at_ms=start_ms)
        if start_ms <= at_ms <= moment("2024-05-01 12:12"):
            ends = at_ms == moment("2024-05-01 12:12")
            yield heartbeat("well", at_ms, name="hourly", started_at_ms=start_ms, state="ok" if ends else "running")

    with World(tmp_path, "2024-05-01 11:50") as world:
        for job in ("nightly", "hourly", "never"):
            plan = JobPlan(job=job, cron="0 12 * * *", grace_s=300)
            world.settings.put("schedules", job, plan.document(), by="test")
        world.run("2024-05-01 12:15", script)
        assert world.lost_runs.closed == 1
        world.run("2024-05-01 18:40", script, step_s=300)
        # Three heartbeats of half a minute are waited for; six hours later it is history.
        assert told(world) == [
            Told("12:05", "firing", "job-missed", ("never",)),
            Told("12:11:30", "firing", "run-lost", ("nightly",)),
            Told("18:25", "resolved", "run-lost", (), ("nightly",)),
        ]


def test_missed_cron_job_is_told_and_daylight_saving_time_is_not(tmp_path: Path) -> None:
    # 02:30 in Berlin; on the last Sunday of March that hour is left out, and cron runs at 03:00 summer time.
    starts = [moment(f"2024-{day}") for day in ("03-30 01:30", "03-31 01:00", "04-01 00:30", "04-03 00:30")]

    def script(at_ms: int) -> Iterable[Metric]:
        for start_ms in starts:  # each takes two minutes, and is recorded at its end
            if at_ms - 30 * MINUTE_MS < start_ms + 2 * MINUTE_MS <= at_ms:
                yield run("nightly", start_ms + 2 * MINUTE_MS, execution_duration_ms=2 * MINUTE_MS)

    with World(tmp_path, "2024-03-30 00:00") as world:
        plan = JobPlan(job="nightly", cron="30 2 * * *", timezone="Europe/Berlin", grace_s=300)
        world.settings.put("schedules", "nightly", plan.document(), by="test")
        world.run("2024-04-03 02:00", script, step_s=1800)
        assert told(world) == [
            Told("01:00+3", "firing", "job-missed", ("nightly",)),
            Told("13:00+3", "still_firing", "job-missed", ("nightly",)),
            Told("01:00+4", "resolved", "job-missed", (), ("nightly",)),
        ]


def test_autumn_hour_that_comes_twice_is_one_run(tmp_path: Path) -> None:
    # On 27 October 2024 02:30 comes twice in Berlin: at 00:30 and at 01:30 UTC; cron runs at the first.
    starts = [moment(f"2024-{day}") for day in ("10-26 00:30", "10-27 00:30", "10-28 01:30")]

    def script(at_ms: int) -> Iterable[Metric]:
        return [
            run("nightly", start + 1, execution_duration_ms=1) for start in starts if at_ms - 1_800_000 <= start < at_ms
        ]

    with World(tmp_path, "2024-10-25 12:00") as world:
        plan = JobPlan(job="nightly", cron="30 2 * * *", timezone="Europe/Berlin", grace_s=300)
        world.settings.put("schedules", "nightly", plan.document(), by="test")
        world.run("2024-10-28 12:00", script, step_s=1800)
        assert told(world) == []


def test_job_that_was_always_regular_is_missed_without_a_plan_and_told_when_it_failed(tmp_path: Path) -> None:
    def script(at_ms: int) -> Iterable[Metric]:
        stands = moment("2024-05-01 12:00") <= at_ms < moment("2024-05-01 13:20")
        if at_ms % (10 * MINUTE_MS) == 0 and not stands:
            failed = at_ms == moment("2024-05-01 14:00")
            yield run(
                "crawl", at_ms, execution_duration_ms=60_000, success=not failed, error="boom" if failed else None
            )

    with World(tmp_path, "2024-05-01 11:00") as world:
        world.past(every(MINUTE_MS, "2024-05-01 06:00", "2024-05-01 11:00", script))
        world.run("2024-05-01 15:00", script, step_s=60)
        assert told(world) == [
            Told("12:03", "firing", "job-missed", ("crawl",)),
            Told("13:20", "resolved", "job-missed", (), ("crawl",)),
            Told("14:00", "firing", "job-failed", ("crawl",)),
            Told("14:10", "resolved", "job-failed", (), ("crawl",)),
        ]


def test_silence_keeps_quiet_and_what_still_fires_is_told_afterwards(tmp_path: Path) -> None:
    def script(at_ms: int) -> Iterable[Metric]:
        down = moment("2024-05-01 12:10") <= at_ms < moment("2024-05-01 13:10")
        brief = moment("2024-05-01 12:10") <= at_ms < moment("2024-05-01 12:20")
        return [*pages("shop", at_ms, 10, failing=float(down)), *pages("news", at_ms, 10, failing=float(brief))]

    with World(tmp_path, "2024-05-01 12:00") as world:
        world.only(low())
        world.silence(
            Silence(
                id="quiet",
                comment="works",
                only=("source=*",),
                starts_ms=world.now_ms,
                ends_ms=moment("2024-05-01 12:40"),
            )
        )
        world.run("2024-05-01 12:30", script)
        assert told(world) == []
        assert [row.document["silenced"] for row in world.alerts.states() if row.key == "shop"] == ["quiet"]
        world.run("2024-05-01 13:30", script)
        assert told(world) == [
            Told("12:40", "firing", "low", ("shop",)),
            Told("13:10:30", "resolved", "low", (), ("shop",)),
        ]


def test_maintenance_window_comes_again_each_night(tmp_path: Path) -> None:
    def script(at_ms: int) -> Iterable[Metric]:
        return pages("shop", at_ms, 10, failing=float(at_ms // MINUTE_MS % 1440 in range(150, 170)))  # 02:30-02:50

    with World(tmp_path, "2024-05-01 02:00") as world:
        world.only(low())
        world.silence(
            Silence(id="nightly", only=("rule=low",), cron="30 4 * * *", duration_s=1800, timezone="Europe/Berlin")
        )
        world.run("2024-05-01 03:00", script, step_s=60)
        assert told(world) == []
        assert world.history("firing", "resolved")


def test_acknowledged_alert_is_not_told_again_until_it_is_resolved(tmp_path: Path) -> None:
    def script(at_ms: int) -> Iterable[Metric]:
        return pages("shop", at_ms, 10, failing=float(at_ms < moment("2024-05-01 16:00")))

    with World(tmp_path, "2024-05-01 12:00") as world:
        world.only(low(repeat="1h"))
        world.run("2024-05-01 13:30", script, step_s=60)
        world.acknowledge("low", "shop")
        world.run("2024-05-01 16:30", script, step_s=60)
        assert told(world) == [
            Told("12:01", "firing", "low", ("shop",)),
            Told("13:01", "still_firing", "low", ("shop",)),
            Told("16:00", "resolved", "low", (), ("shop",)),
        ]
        assert world.settings.all("silences") == ()  # it has done its work


def test_restart_in_between_is_not_noticed(tmp_path: Path) -> None:
    def script(at_ms: int) -> Iterable[Metric]:
        return pages("shop", at_ms, 10, failing=float(at_ms < moment("2024-05-01 12:20")))

    with World(tmp_path, "2024-05-01 12:00") as world:
        world.only(low(**{"for": "5m", "keep_firing_for": "5m"}))
        for until in ("12:03", "12:08", "12:15", "12:22", "12:30"):
            world.run(f"2024-05-01 {until}", script)
            world.service.stop()
            world.service = world.start_service()
        assert told(world) == [
            Told("12:05:30", "firing", "low", ("shop",)),
            Told("12:25:30", "resolved", "low", (), ("shop",)),
        ]


def test_clock_that_is_set_tells_nothing_that_is_not_so(tmp_path: Path) -> None:
    def script(at_ms: int) -> Iterable[Metric]:
        return [*pages("good", at_ms, 10), *pages("bad", at_ms, 10, failing=1)]

    with World(tmp_path, "2024-05-01 12:00") as world:
        world.only(
            low(**{"for": "10m"}),
            rule_of({"id": "gone", "name": "Gone", "what": "no_data", "threshold": 300, "window": "1d"}),
        )
        world.run("2024-05-01 12:05", script)
        world.set_clock(3_600)
        world.step(script(world.now_ms))
        world.run("2024-05-01 13:08", script)
        assert told(world) == []  # it was bad for eight minutes, whatever the clock says
        world.run("2024-05-01 13:15", script)
        assert told(world) == [Told("13:10:30", "firing", "low", ("bad",))]
        world.set_clock(-7_200)
        world.run("2024-05-01 11:45", script)
        assert len(told(world)) == 1
        assert world.service.clock_steps == 2


def test_ten_thousand_alerts_at_once_are_few_messages(tmp_path: Path) -> None:
    rule = low(by="label:shop", window="5m", min_samples=1)
    with World(tmp_path, "2024-05-01 12:00") as world:
        world.only(rule)
        world.past([
            metric
            for number in range(2_500)
            for metric in pages("fleet", world.now_ms, 1, failing=1, labels={"shop": f"{number:05}"})
        ])  # fmt: skip
        world.pass_time(1)
        world.step()
        assert len(world.notices) <= 5
        assert sum(notice.firing_count for notice in world.notices) == 2_000  # of more values, the most frequent
        assert max(len(notice.firing) for notice in world.notices) == 100
