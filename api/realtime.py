"""`GET /api/realtime`: the public channel's content for who can't hold a WebSocket."""

from __future__ import annotations

import orjson
from flask import Blueprint, Response, request

from api.answers import json_answer, problem
from db.clock import now_ms
from live import protocol
from live.channel import Channel

ANSWER_TIMEOUT_S = 5.0


def realtime_blueprint(channel: Channel) -> Blueprint:
    """Make the route: `?source=<name or *>&since=<seq>` answers the batches after that seq, and the newest seq."""
    blueprint = Blueprint("realtime", __name__)

    @blueprint.get("/api/realtime")
    def realtime() -> Response:
        source = request.args.get("source", protocol.EVERYTHING).strip()
        since = request.args.get("since", "")
        if not 1 <= len(source) <= protocol.MAX_SOURCE_CHARS:
            return problem(400, 'source must be a source\'s name or "*"')
        if since and not (since.isascii() and since.isdigit() and len(since) < 19):
            return problem(400, "since must be a whole number, the seq of the answer before")
        asked = int(since) if since else None
        try:
            seq, payloads = channel.hub.ask(lambda: _read(channel, source, asked), timeout_s=ANSWER_TIMEOUT_S)
        except TimeoutError:
            return problem(503, "the channel is busy or going down; ask again")
        return json_answer(
            200,
            {
                "scraperSource": source,
                "seq": seq,
                "gap": payloads is None,
                "timestamp": now_ms(),
                "batches": [orjson.Fragment(payload) for payload in payloads or ()],
            },
        )

    return blueprint


def _read(channel: Channel, source: str, since: int | None) -> tuple[int, list[bytes] | None]:
    seq = channel.seq(source)
    return seq, channel.missed(source, seq if since is None else since)
