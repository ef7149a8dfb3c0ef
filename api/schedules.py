"""`/api/alerts/schedules`: programs declare when their scheduler jobs are meant to run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson
from flask import Blueprint, Response, request

from alerts.errors import BadSetting
from alerts.schedule_desk import ScheduleDesk
from alerts.schedules import Planned
from api.answers import json_answer, problem
from api.bearer import refused
from db.alert_tables import AlertTables
from db.clock import now_ms
from db.errors import DatabaseUnavailable

_MOST_BYTES: Final = 10_000
_NEXT: Final = 3


def schedules_blueprint(
    tables: AlertTables,
    *,
    token: str | None,
    changed: Callable[[], object],
    clock_ms: Callable[[], int] = now_ms,
) -> Blueprint:
    """Make the routes.

    Args:
        tables: Where schedules are kept.
        token: The bearer token that who writes needs, or None.
        changed: Called after each write.
        clock_ms: The present in epoch milliseconds.

    Returns:
        A Flask blueprint.
    """
    blueprint, desk = Blueprint("schedules", __name__), ScheduleDesk(tables)

    @blueprint.errorhandler(DatabaseUnavailable)
    def away(exc: DatabaseUnavailable) -> Response:
        return problem(503, f"{exc}; try again later")

    @blueprint.before_request
    def authorized() -> Response | None:
        return None if request.method == "GET" else refused(token)

    @blueprint.get("/api/alerts/schedules")
    def schedules() -> Response:
        return json_answer(200, {"schedules": [_document(one, clock_ms()) for one in desk.plans()]})

    @blueprint.put("/api/alerts/schedules/<path:job>")
    def declare(job: str) -> Response:
        data = request.stream.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            return problem(413, f"a schedule has at most {_MOST_BYTES:,} bytes")
        try:
            said = orjson.loads(data)
        except orjson.JSONDecodeError:
            said = None
        if not isinstance(said, dict):
            return problem(400, 'send a JSON object, like {"cron": "30 2 * * mon-fri", "timezone": "Europe/Berlin"}')
        try:
            plan, new, kept_by = desk.declare({**said, "job": job}, by="the API")
        except BadSetting as exc:
            faults = [{"field": fault.field, "message": fault.message} for fault in exc.faults]
            return json_answer(422, {"error": str(exc), "faults": faults})
        if new:
            changed()
        answer = {**_planned(plan.document()), "job": plan.job, "changed": new}
        return json_answer(200, {**answer, "keptBy": kept_by} if kept_by else answer)

    @blueprint.delete("/api/alerts/schedules/<path:job>")
    def delete(job: str) -> Response:
        if not desk.remove(job):
            return problem(404, "no schedule is declared for this job")
        changed()
        return Response(status=204)

    return blueprint


def _document(one: Planned, at_ms: int) -> dict[str, Any]:
    plan = one.plan
    following = plan.next_after(at_ms, _NEXT) if plan.cron else []
    return {**_planned(plan.document()), "declaredAt": one.since_ms, "next": following}


def _planned(document: dict[str, Any]) -> dict[str, Any]:
    """Return a schedule with what is by default."""
    return {"timezone": "UTC", "grace": "5m", **document}
