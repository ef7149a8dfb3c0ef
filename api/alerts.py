"""`GET /api/alerts`: how alerts stand, as JSON; a badge for a README; and the rules as a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flask import Blueprint, Response, request

from alerts.board import SEVERITIES, Shown, Standings, standings
from alerts.matchers import match, matcher
from alerts.rules import UNITS
from alerts.yaml_text import rules_to_yaml
from api.answers import json_answer, problem
from components.alert_badge import badge_svg, unknown_badge_svg
from db.clock import now_ms
from db.errors import DatabaseUnavailable
from db.queries import Queries

STATES: Final = ("firing", "recovering", "pending", "no_data", "error")
MOST_ALERTS: Final = 1_000
_MOST_MATCHERS: Final = 20
_LABEL_CHARS: Final = 40


def alerts_blueprint(queries: Queries, *, clock_ms: Callable[[], int] = now_ms) -> Blueprint:
    """Make the routes.

    Args:
        queries: Who knows how alerts stand.
        clock_ms: The present in epoch milliseconds.

    Returns:
        A Flask blueprint.
    """
    blueprint = Blueprint("alerts", __name__)

    def found() -> Standings:
        return standings(queries.alert_board(), clock_ms())

    @blueprint.errorhandler(DatabaseUnavailable)
    def away(exc: DatabaseUnavailable) -> Response:
        return problem(503, f"{exc}; ask again later")

    @blueprint.get("/api/alerts")
    def alerts() -> Response:
        states, severities = request.args.getlist("state"), request.args.getlist("severity")
        only = request.args.getlist("match")
        wrong = _wrong(states, severities, only)
        if wrong:
            return problem(400, wrong)
        shown = found()
        wanted = [
            one
            for one in (*shown.firing, *shown.pending, *shown.unknown)
            if (not states or one.standing in states)
            and (not severities or one.rule.severity in severities)
            and match(only, one.labels)
        ]
        body = {
            "counts": _counts(shown),
            "total": len(wanted),
            "alerts": [alert_document(one) for one in wanted[:MOST_ALERTS]],
            "problems": list(shown.problems.values()),
        }
        return json_answer(200, body)

    @blueprint.get("/api/alerts/badge.svg")
    def badge() -> Response:
        label = request.args.get("label", "scrapers")[:_LABEL_CHARS] or "scrapers"
        try:
            shown = found()
        except DatabaseUnavailable:
            svg = unknown_badge_svg(label)
        else:
            critical = any(one.rule.severity == "critical" for one in shown.firing)
            svg = badge_svg(label, len(shown.firing), len(shown.pending), critical=critical)
        answer = Response(svg, mimetype="image/svg+xml")
        answer.headers["Cache-Control"] = "no-cache, max-age=0"
        return answer

    @blueprint.get("/api/alerts/rules.yaml")
    def rules() -> Response:
        answer = Response(rules_to_yaml(found().setting.rules), mimetype="application/yaml")
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return blueprint


def alert_document(one: Shown) -> dict[str, Any]:
    """Return an alert as the API tells it; moments are epoch milliseconds.

    Args:
        one: The alert.
    """
    state, rule = one.alert.state, one.rule
    known, silence = one.known, one.silence
    return {
        "rule": rule.id,
        "name": rule.name,
        "severity": rule.severity,
        "what": rule.what,
        "unit": UNITS[rule.what],
        "by": rule.by,
        "key": one.alert.key,
        "labels": dict(one.labels),
        "state": one.standing,
        "since": one.since_ms,
        "firedAt": state.fired_ms,
        "value": state.value,
        "threshold": state.threshold,
        "samples": one.alert.samples,
        "problem": state.problem or None,
        "acknowledged": None if known is None else {"by": known.by, "at": known.at_ms, "comment": known.comment},
        "silenced": None
        if silence is None
        else {"id": silence.id, "by": silence.by, "until": silence.ends_ms, "comment": silence.comment},
    }


def _counts(shown: Standings) -> dict[str, int]:
    everything = (*shown.firing, *shown.pending, *shown.unknown)
    return {state: sum(one.standing == state for one in everything) for state in STATES}


def _wrong(states: list[str], severities: list[str], only: list[str]) -> str:
    if set(states) - set(STATES):
        return f"state takes {', '.join(STATES)}"
    if set(severities) - set(SEVERITIES):
        return f"severity takes {', '.join(SEVERITIES)}"
    if len(only) > _MOST_MATCHERS:
        return f"match can be given {_MOST_MATCHERS} times at most"
    for text in only:
        try:
            matcher(text)
        except ValueError as exc:
            return f"match {exc}"
    return ""
