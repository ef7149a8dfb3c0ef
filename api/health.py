"""`GET /api/health` and `GET /api/stats`: is it well, and what is it doing?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from flask import Blueprint, Response

from api.answers import json_answer, problem
from db.clock import now_ms
from db.collectors import CollectorLine, totals_of
from db.errors import DatabaseUnavailable
from db.store import Store


class RedisSide(Protocol):
    """Who knows how it stands with Redis."""

    def redis_status(self) -> Mapping[str, Any]:
        """Return its status and, while it is away, since when and why."""

    def redis_stats(self) -> Mapping[str, Any]:
        """Return what was carried between processes."""


def health_blueprint(
    store: Store,
    channel_stats: Callable[[], Mapping[str, Any]],
    collector_stats: Callable[[], Mapping[str, Any]],
    redis: RedisSide,
    collectors: Callable[[int], Sequence[CollectorLine]] = lambda _now_ms: (),
    deliveries: Callable[[], Mapping[str, Any]] = dict,
) -> Blueprint:
    """Make both routes.

    Args:
        store: the database that is asked (a real round trip).
        channel_stats: the live channel's numbers.
        collector_stats: the numbers of the collector in this process.
        redis: what joins several processes; while it is away, the app is well all the same.
        collectors: who reports, at a moment in epoch milliseconds.
        deliveries: what became of notifications.

    Returns:
        A Flask blueprint.
    """
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/api/health")
    def health() -> Response:
        state = store.ping()
        well = "ok" if state.storing else "takes no writes" if state.reachable else "unreachable"
        collector = collector_stats()
        body = {
            "status": "ok" if state.storing else f"database {well}",
            "app": {"status": "ok"},
            "database": {
                "status": well,
                "unreachableSince": state.unreachable_since_ms,
                "unwritableSince": state.unwritable_since_ms,
                "error": state.last_error,
            },
            "channel": {"status": "ok", **channel_stats()},
            "redis": dict(redis.redis_status()),
            "spool": {"pending": collector.get("pending", 0), "size": collector.get("spool_size", 0)},
        }
        return json_answer(200 if state.storing else 503, body)

    @blueprint.get("/api/stats")
    def stats() -> Response:
        return json_answer(
            200,
            {
                "channel": dict(channel_stats()),
                "redis": dict(redis.redis_stats()),
                "store": asdict(store.health()),
                "collector": dict(collector_stats()),
                "collectors": _collectors(collectors),
                "deliveries": dict(deliveries()),
            },
        )

    @blueprint.route("/api/", defaults={"rest": ""})
    @blueprint.route("/api/<path:rest>")
    def unknown(rest: str) -> Response:
        # Without this, Dash answers every address with its page.
        return problem(404, f"there is no /api/{rest[:80]}; see README.md for what there is")

    return blueprint


def _collectors(read: Callable[[int], Sequence[CollectorLine]]) -> dict[str, Any]:
    """Return what all collectors add up to, and each of them."""
    present_ms = now_ms()
    try:
        lines = read(present_ms)
    except DatabaseUnavailable as exc:
        return {"error": str(exc)}
    each = [{**asdict(line), "away": line.is_away(present_ms), "lag_ms": line.lag_ms} for line in lines]
    return {**asdict(totals_of(lines, present_ms)), "each": each}
