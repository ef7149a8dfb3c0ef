"""What is measured: the floor, ours in all its forms, and the peers."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

from bench.channel import floor
from bench.channel.measured import Kind
from bench.channel.wire import payload

COMPRESSED_BYTES = len(zlib.compress(payload(0), 1))  # what one frame for all who inflate would have


def every_kind(folder: Path, viewers: int) -> dict[str, Kind]:
    """Return all kinds by name.

    Args:
        folder: Where the floor's program may be made.
        viewers: How many will look: a thread each for one of them.
    """

    def module(name: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", f"bench.channel.{name}", *arguments]

    kinds = [
        Kind("floor", floor.command(folder), "raw"),
        Kind("floor_of_compressed_frames", floor.command(folder, COMPRESSED_BYTES), "raw"),
        Kind("ours", module("ours", "one"), "metrics", "/ws/metrics", busy=True, joins=True),
        Kind("ours_on_dash", module("dash_pages", "ours"), "dash", "/_dash-ws-callback", busy=True),
        Kind("ours_writing_one_by_one", module("ours", "each"), "metrics", "/ws/metrics", busy=True, joins=True),
        Kind("ours_writing_in_a_process", module("ours", "process"), "metrics", "/ws/metrics", busy=True, joins=True),
        Kind("flask_sock", module("naive", str(viewers)), "plain", deflate=True),
        Kind("websockets_broadcast", module("broadcast"), "plain", deflate=True),
        Kind("dash_on_fastapi", module("dash_pages", "fastapi"), "dash", "/_dash-ws-callback", joins=True),
    ]
    return {kind.name: kind for kind in kinds}
