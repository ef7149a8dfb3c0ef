"""What travels in this bench: batches of 5 KB that carry a number near their end."""

from __future__ import annotations

import re
import struct

from collector.events import Metric, PageNavigation
from live import protocol
from live.frames import set_props

SOURCE = "bench"
FLOOD = "flood"  # a source that only the viewer that never reads listens to
BATCH_BYTES = 5_000
METRICS = 20
MARK = b"mark-"
MARKS = re.compile(rb"mark-(\d{8})-")
TAIL_BYTES = 400  # the mark is found there
COMPONENT = "bench-events"


def mark(number: int) -> str:
    """Return the text by which viewers know a batch."""
    return f"mark-{number:08d}-"


def metrics(number: int, source: str = SOURCE) -> list[Metric]:
    """Return the metrics of one batch: about 5 KB as JSON, the number in the last one's URL."""
    at_ms = 1_795_348_800_000 + 10 * number
    paths = [f"{number * METRICS + place:08d}/offers" for place in range(METRICS - 1)] + [mark(number)]
    return [
        PageNavigation(source, f"https://shop.example.com/catalogue/{path}", 150 + place, True, 0, None, 200, at_ms)
        for place, path in enumerate(paths)
    ]


def payload(number: int) -> bytes:
    """Return the JSON of one batch, as `/ws/metrics` sends it."""
    return protocol.batch(SOURCE, number, metrics(number))


def page_text(number: int) -> str:
    """Return a component's content whose message in Dash's protocol is as large as a batch."""
    text = payload(number).decode().replace('"', "'")
    return text + mark(number)


def page_payload(number: int) -> bytes:
    """Return the message for Dash's pages, the renderer's id still to be filled in."""
    return set_props(COMPONENT, {"children": page_text(number)})


def masked(text: bytes, opcode: int = 1) -> bytes:
    """Return a client's frame with a mask of zeros (so that masking costs nothing)."""
    length = len(text)
    head = bytes((0x80 | opcode, 0x80 | length)) if length < 126 else struct.pack("!BBH", 0x80 | opcode, 254, length)
    return head + bytes(4) + text
