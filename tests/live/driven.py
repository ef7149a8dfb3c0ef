"""What tests share that drive the view engine by hand: no pause to wait for, and what a frame says."""

from __future__ import annotations

from typing import Any, Final

import orjson

from live.tempo import Tempo

AT_ONCE: Final = Tempo(
    numbers_interval_s=0,
    prompt_bytes=10**9,
    charts_interval_s=0,
    chart_spacing_s=0,
    most_drawings_per_s=1e12,
    rest_share=0,
)


def said(payload: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Return what a frame says: (component id, props) of each of its messages."""
    messages = orjson.loads(payload)
    return [
        (one["payload"]["componentId"], one["payload"]["props"])
        for one in (messages if isinstance(messages, list) else [messages])
    ]
