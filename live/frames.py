"""WebSocket frames and their JSON, encoded once for everybody who gets them."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable
from typing import Any

import orjson

# Stands for the renderer id in a Dash frame until it is sent. Renderer ids are UUIDs of the same length, so a frame
# is filled in without being encoded again. It is new in every process: no metric's text can hold it.
RENDERER = str(uuid.uuid4()).encode()


def to_json(value: Any) -> bytes:
    """Encode JSON, numpy arrays and Dash components (through their `to_plotly_json`) included."""
    return orjson.dumps(value, default=_component, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def _component(value: Any) -> Any:
    try:
        return value.to_plotly_json()
    except AttributeError as exc:
        raise TypeError(f"{type(value).__name__} can't be sent to a page") from exc


def text_frame(payload: bytes) -> bytes:
    """Wrap a UTF-8 payload in one unmasked, final text frame (RFC 6455, section 5.2)."""
    return text_frame_head(len(payload)) + payload


def text_frame_head(length: int) -> bytes:
    """Return what stands before a payload of so many bytes."""
    if length < 126:
        return bytes((0x81, length))
    if length < 65536:
        return struct.pack("!BBH", 0x81, 126, length)
    return struct.pack("!BBQ", 0x81, 127, length)


def set_props(component_id: str, props: Any) -> bytes:
    """Encode one `set_props` message of Dash's protocol for a renderer that is filled in later."""
    return to_json(
        {
            "type": "set_props",
            "rendererId": RENDERER.decode(),
            "payload": {"componentId": component_id, "props": props},
        }
    )


def join_messages(messages: Iterable[bytes]) -> bytes:
    """Join messages into one payload; several become a JSON array, which the browser applies in one render."""
    parts = list(messages)
    return parts[0] if len(parts) == 1 else b"[" + b",".join(parts) + b"]"


def for_renderers(payload: bytes, id_bytes: int) -> list[bytes]:
    """Return the pieces of a payload's frame between which each renderer's id is filled in.

    Args:
        payload: It, with RENDERER where the id belongs.
        id_bytes: Length of the ids, the same for all who get it.
    """
    pieces = payload.split(RENDERER)
    head = text_frame_head(sum(map(len, pieces)) + id_bytes * (len(pieces) - 1))
    return [head + pieces[0], *pieces[1:]]
