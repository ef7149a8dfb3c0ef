"""The callbacks of schedules of jobs: declare, change and delete one, with its next moments while it is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dash import ALL, Dash, Input, Output, State, ctx, html, no_update

from alerts.errors import BadSetting
from alerts.schedule_desk import ScheduleDesk
from alerts.schedules import plan_of
from components.alert_lists import ENTRY
from components.alert_schedule_form import BUTTON, FIELD, PREVIEW, preview_list, schedule_document, schedule_form
from components.alert_sections import FORM, FORM_BODY, FORM_FAULTS, NAME, SAID
from db.alert_tables import AlertTables
from db.clock import now_ms
from db.errors import DatabaseUnavailable
from db.queries import Queries
from web.alert_actions import answered, at_fields, clicked, tidy_name

EDITING: Final = "alerts-editing"


def register_alert_schedules(
    app: Dash,
    queries: Queries,
    tables: AlertTables,
    *,
    changed: Callable[[], object],
    clock_ms: Callable[[], int] = now_ms,
) -> None:
    """Register the callbacks of schedules.

    Args:
        app: The app.
        queries: Who knows which jobs there are.
        tables: Where schedules are kept.
        changed: Called after each write.
        clock_ms: The present in epoch milliseconds.
    """
    desk = ScheduleDesk(tables)

    @app.callback(
        Output(FORM, "opened", allow_duplicate=True),
        Output(FORM, "title", allow_duplicate=True),
        Output(FORM_BODY, "children", allow_duplicate=True),
        Output(EDITING, "data", allow_duplicate=True),
        Input({"type": ENTRY, "act": "schedule-edit", "id": ALL}, "n_clicks"),
        Input({"type": ENTRY, "act": "schedule-new", "id": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def open_form(edits: list[int | None], news: list[int | None]) -> Any:
        touched = ctx.triggered_id
        if not clicked([*edits, *news]) or not isinstance(touched, dict):
            return (no_update,) * 4
        try:
            if touched["act"] == "schedule-new":
                return True, "New schedule", schedule_form(None, jobs_of(queries, clock_ms())), None
            found = desk.plan(str(touched["id"]))
        except (DatabaseUnavailable, BadSetting) as exc:
            return True, "Schedule", html.P(f"✕ It can’t be read: {exc}."), None
        if found is None:
            return True, "Schedule", html.P("There is no such schedule any more."), None
        plan, version = found
        return True, f"Schedule of {plan.job}", schedule_form(plan, ()), {"job": plan.job, "version": version}

    @app.callback(
        Output(PREVIEW, "children"),
        Output({"type": FIELD, "field": ALL}, "error", allow_duplicate=True),
        Input({"type": FIELD, "field": ALL}, "value"),
        State({"type": FIELD, "field": ALL}, "id"),
        prevent_initial_call="initial_duplicate",
    )
    def preview(values: list[Any], places: list[Any]) -> Any:
        """Say at its fields what is wrong with a schedule as it is written, or when the job is to run next."""
        fields = [str(place["field"]) for place in places]
        if not fields:
            return no_update, []
        document = schedule_document(dict(zip(fields, values, strict=True)))
        if "cron" not in document and "interval" not in document:
            return html.P("It takes a cron expression or an interval."), [None] * len(fields)
        try:
            plan = plan_of({**document, "job": document["job"] or "job"})
        except BadSetting as exc:
            errors, rest = at_fields(fields, exc)
            return html.P(rest or "There is something to put right first."), errors
        return preview_list(plan, clock_ms()), [None] * len(fields)

    @app.callback(
        Output({"type": FIELD, "field": ALL}, "error", allow_duplicate=True),
        Output(FORM_FAULTS, "children", allow_duplicate=True),
        Output(FORM, "opened", allow_duplicate=True),
        Output(SAID, "children", allow_duplicate=True),
        Input({"type": BUTTON, "act": ALL}, "n_clicks"),
        State({"type": FIELD, "field": ALL}, "value"),
        State({"type": FIELD, "field": ALL}, "id"),
        State(EDITING, "data"),
        State(NAME, "value"),
        prevent_initial_call=True,
    )
    def press(clicks: list[int | None], values: list[Any], places: list[Any], editing: Any, name: str | None) -> Any:
        """Save or delete the schedule in the form."""
        fields = [str(place["field"]) for place in places]
        touched = ctx.triggered_id
        if not clicked(clicks) or not isinstance(touched, dict):
            return [no_update] * len(fields), *(no_update,) * 3
        opened = editing if isinstance(editing, dict) and "job" in editing else None
        if touched["act"] == "delete" and opened is not None:
            said = answered(lambda: desk.delete(str(opened["job"])), changed)
            return [None] * len(fields), "", False, said
        document = schedule_document(dict(zip(fields, values, strict=True)))
        try:
            plan = desk.save(document, by=tidy_name(name), known=None if opened is None else int(opened["version"]))
        except BadSetting as exc:
            return (*at_fields(fields, exc), no_update, no_update)
        except DatabaseUnavailable as exc:
            return [None] * len(fields), f"✕ It wasn’t kept: {exc}.", no_update, no_update
        changed()
        return [None] * len(fields), "", False, f"✓ Saved: the schedule of {plan.job}."


def jobs_of(queries: Queries, at_ms: int) -> tuple[str, ...]:
    """Return the names of jobs that have run, in order.

    Args:
        queries: Who knows them.
        at_ms: The moment, epoch milliseconds.
    """
    return tuple(sorted(queries.job_runs(at_ms).names))
