"""Schedules of jobs: what the form says is the schedule, mistakes stand at their fields, the next moments are shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alerts.errors import BadSetting
from alerts.schedule_desk import ScheduleDesk
from alerts.schedules import JobPlan, Planned, plan_of
from components.alert_schedule_form import (
    moments_of,
    preview_list,
    schedule_document,
    schedule_form,
    schedule_list,
    values_of,
)
from tests.pages.tree import components_of, texts_of
from tests.web.test_alert_actions import NOW_MS, Tab
from web.alert_actions import at_fields
from web.alert_schedules import jobs_of

NIGHTLY = JobPlan(job="nightly", cron="30 2 * * mon-fri", timezone="Europe/Berlin", grace_s=600, longest_s=7200)
OFTEN = JobPlan(job="often", interval_s=900, grace_s=0)


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    made = Tab(tmp_path)
    yield made
    made.engine.dispose()


@pytest.mark.parametrize("plan", [NIGHTLY, OFTEN], ids=lambda plan: plan.job)
def test_the_form_of_a_schedule_says_that_schedule(plan: JobPlan) -> None:
    assert plan_of(schedule_document(values_of(plan))) == plan
    fields = {
        one.id["field"]
        for one in components_of(schedule_form(plan, ()))
        if isinstance(getattr(one, "id", None), dict) and "field" in one.id
    }
    assert fields == {field.alias or name for name, field in JobPlan.model_fields.items()}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cron": "99 2 * * *"}, "cron"),
        ({"cron": "0 0 31 2 *"}, "cron"),
        ({"interval": "15m"}, "cron"),
        ({"cron": "", "interval": "5s"}, "interval"),
        ({"cron": "", "interval": "soon"}, "interval"),
        ({"cron": ""}, "cron"),
        ({"timezone": "Berlin"}, "timezone"),
        ({"grace": "-5m"}, "grace"),
        ({"longest": "ever"}, "longest"),
        ({"job": ""}, "job"),
        ({"job": "x" * 51}, "job"),
    ],
)
def test_a_mistake_stands_at_its_field(changes: dict[str, str], field: str) -> None:
    values = values_of(NIGHTLY) | changes
    with pytest.raises(BadSetting) as caught:
        plan_of(schedule_document(values))
    texts, _ = at_fields(list(values), caught.value)
    assert {name for name, text in zip(values, texts, strict=True) if text} == {field}


def test_next_three_moments_are_by_the_clock_of_the_zone_across_a_change_of_time() -> None:
    # The clocks of Berlin go back on 25 October 2026.
    plan = JobPlan(job="j", cron="30 9 * * *", timezone="Europe/Berlin")
    at_ms = int(datetime(2026, 10, 23, 12, tzinfo=ZoneInfo("UTC")).timestamp() * 1000)
    assert moments_of(plan, at_ms) == [
        "Sat 24 Oct 2026 09:30 CEST", "Sun 25 Oct 2026 09:30 CET", "Mon 26 Oct 2026 09:30 CET",
    ]  # fmt: skip
    often = moments_of(OFTEN, at_ms)
    assert [text[-9:] for text in often] == ["12:15 UTC", "12:30 UTC", "12:45 UTC"]
    assert texts_of(preview_list(OFTEN, at_ms)) == ["After a run that begins now, it is meant to run at", *often]
    rare = JobPlan(job="j", cron="0 0 29 2 *")
    assert [text[:15] for text in moments_of(rare, at_ms)] == ["Tue 29 Feb 2028", "Sun 29 Feb 2032", "Fri 29 Feb 2036"]


def test_a_schedule_is_declared_changed_and_deleted_and_rules_go_by_it(tab: Tab) -> None:
    desk = ScheduleDesk(tab.tables)
    desk.save(NIGHTLY.document(), by="Ada", known=None)
    with pytest.raises(BadSetting, match="has a schedule already"):
        desk.save(NIGHTLY.document(), by="Bob", known=None)
    found = desk.plan("nightly")
    assert found is not None
    plan, version = found
    assert plan == NIGHTLY
    assert tab.found().setting.plans["nightly"].plan == NIGHTLY
    desk.save({**NIGHTLY.document(), "grace": "20m"}, by="Bob", known=version)
    with pytest.raises(BadSetting, match="changed by Bob"):
        desk.save({**NIGHTLY.document(), "grace": "30m"}, by="Ada", known=version)
    assert tab.found().setting.plans["nightly"].plan.grace_s == 1_200
    assert desk.delete("nightly").startswith("Deleted")
    assert desk.delete("nightly") == "It was deleted already."
    assert desk.plan("nightly") is None
    assert tab.found().setting.plans == {}
    assert jobs_of(tab.queries, NOW_MS) == ()


def test_list_says_when_each_job_is_meant_to_run_and_when_next() -> None:
    shown = texts_of(schedule_list([Planned(NIGHTLY, NOW_MS), Planned(OFTEN, NOW_MS)], NOW_MS)["children"])
    text = " ".join(shown)
    assert "30 2 * * mon-fri (Europe/Berlin) · next Mon 23 Nov 2026 02:30 CET · grace 10 min · at most 2 h" in text
    assert "every 15 min · no grace · may take as long as usual" in text
