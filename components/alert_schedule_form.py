"""The form of a job's schedule and the list of those that were declared: when a job is meant to run, and when next."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from alerts.schedules import JobPlan, Planned
from alerts.units import said, written
from components.alert_lists import MOST_ENTRIES, entry, entry_button, listed
from components.alert_sections import FORM_FAULTS, faults_line
from components.numbers import clock
from components.tables import one_line
from components.timerange import DAY_MS

FIELD: Final = "alerts-schedule-field"  # type of the ids of its fields
BUTTON: Final = "alerts-schedule-button"
PREVIEW: Final = "alerts-schedule-preview"
_NEXT: Final = 3
_FIELDS: Final = ("job", "cron", "interval", "timezone", "grace", "longest")
_ORDER: Final = ["label", "input", "error", "description"]


def schedule_list(plans: Sequence[Planned], now_ms: int) -> dict[str, Any]:
    """Return the live props of the list of declared schedules.

    Args:
        plans: Every one, in the order to show.
        now_ms: The moment, epoch milliseconds.
    """
    entries = []
    for planned in plans[:MOST_ENTRIES]:
        plan = planned.plan
        says = [plan.when, *(f"next {moment}" for moment in moments_of(plan, now_ms)[:1] if plan.cron)]
        says.append(f"grace {said(plan.grace_s)}" if plan.grace_s else "no grace")
        says.append(f"at most {said(plan.longest_s)}" if plan.longest_s else "may take as long as usual")
        says.append(f"declared {clock(planned.since_ms, span_ms=2 * DAY_MS)} UTC")
        edit = entry_button("schedule-edit", plan.job, "Edit", plan.job)
        entries.append(entry([], one_line(plan.job), one_line(" · ".join(says)), [edit]))
    return listed(entries, len(plans), "No schedule is declared: of every job it is learnt when it usually runs.", "")


def schedule_form(plan: JobPlan | None, jobs: Sequence[str]) -> Component:
    """Build the form.

    Args:
        plan: What it shows; None for a new schedule.
        jobs: Jobs that have run, to choose from.
    """
    values = values_of(plan)

    def text(name: str, label: str, help: str = "", **props: Any) -> Component:
        field: Component = dmc.TextInput(
            id=_id(name), label=label, description=help or None, inputWrapperOrder=_ORDER, value=values[name],
            debounce=400, **props,
        )  # fmt: skip
        return field

    if plan is None:
        job: Component = dmc.Autocomplete(
            id=_id("job"), label="Job", description="Its name, as its runs tell it", inputWrapperOrder=_ORDER,
            value="", data=list(jobs), debounce=400, limit=50,
        )  # fmt: skip
    else:
        job = text("job", "Job", "It stays: delete this and declare another", readOnly=True)
    fields = [
        job,
        text("timezone", "Time zone", "Whose clock cron goes by, like Europe/Berlin"),
        text("cron", "Cron", "Minute hour day month weekday, like 30 2 * * mon-fri"),
        text("interval", "Interval", "Or the time between two starts, like 15m"),
        text("grace", "Grace", "How late a run may begin, like 5m"),
        text("longest", "Longest run", "Like 2h; nothing for as long as usual"),
    ]
    buttons: list[Component] = [dmc.Button("Save", id=_button("save"), n_clicks=0)]
    if plan is not None:
        buttons.append(dmc.Button("Delete", id=_button("delete"), n_clicks=0, variant="outline", color="red"))
    return html.Div(
        dmc.Stack(
            [
                html.Div(fields, className="form-grid"),
                html.Div(id=PREVIEW, className="rule-preview", role="status"),
                faults_line(FORM_FAULTS),
                html.Div(buttons, className="form-buttons"),
            ]
        )
    )


def values_of(plan: JobPlan | None) -> dict[str, str]:
    """Return what the fields of the form hold.

    Args:
        plan: The schedule; None for a new one.
    """
    if plan is None:
        return {**dict.fromkeys(_FIELDS, ""), "timezone": "UTC", "grace": "5m"}
    return {
        "job": plan.job,
        "cron": plan.cron,
        "interval": written(plan.interval_s) if plan.interval_s else "",
        "timezone": plan.timezone,
        "grace": written(plan.grace_s),
        "longest": written(plan.longest_s) if plan.longest_s else "",
    }


def schedule_document(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form says, as `alerts.schedules.plan_of` reads it.

    Args:
        values: By field, as the browser has them.
    """
    texts = {name: str(value).strip() for name, value in values.items() if name in _FIELDS and value is not None}
    return {"job": texts.get("job", ""), **{name: text for name, text in texts.items() if text}}


def preview_list(plan: JobPlan, now_ms: int) -> list[Component]:
    """Say when a job is meant to run next: the three moments that follow.

    Args:
        plan: Its schedule.
        now_ms: The moment, epoch milliseconds.
    """
    shown = moments_of(plan, now_ms)
    if not shown:
        return [html.P("That moment doesn’t come in the next ten years.")]
    head = "After a run that begins now, it is meant to run at" if plan.interval_s else "It is meant to run next at"
    return [html.P(head), html.Ul([html.Li(moment) for moment in shown])]


def moments_of(plan: JobPlan, now_ms: int) -> list[str]:
    """Return the next moments by the clock of the schedule's zone: `Mon 23 Nov 2026 02:30 CET`.

    Args:
        plan: The schedule.
        now_ms: The moment, epoch milliseconds.
    """
    zone = ZoneInfo(plan.timezone)
    found = [dt.datetime.fromtimestamp(moment / 1000, zone) for moment in plan.next_after(now_ms, _NEXT)]
    seconds = ":%S" if plan.interval_s % 60 else ""
    return [f"{moment:%a} {moment.day} {moment:%b %Y %H:%M{seconds} %Z}" for moment in found]


def _id(field: str) -> dict[str, str]:
    return {"type": FIELD, "field": field}


def _button(act: str) -> dict[str, str]:
    return {"type": BUTTON, "act": act}
