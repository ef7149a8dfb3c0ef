"""Frames at random, right and wrong ones, cut anywhere: the server does what a model of a few lines says."""

from __future__ import annotations

import codecs
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.live.conftest import LiveServer
from tests.live.framing import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Heard, conversation, frame, said

GOOD_CODES = {*range(1000, 1004), *range(1007, 1014), *range(3000, 5000)}


@dataclass(frozen=True, slots=True)
class Sent:
    """One frame."""

    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0
    masked: bool = True
    long: int = 0

    def data(self) -> bytes:
        return frame(self.opcode, self.payload, fin=self.fin, rsv=self.rsv, masked=self.masked, long=self.long)

    @property
    def control(self) -> bool:
        return self.opcode >= 8


def answer_to(payload: bytes) -> Heard:
    """What the channel says to a whole text."""
    try:
        message = json.loads(payload.decode(), parse_constant=int)  # NaN and its like are no JSON
    except ValueError:
        return ("text", "error", "bad_json")
    if not isinstance(message, dict):
        return ("text", "error", "bad_message")
    return ("text", "pong", message["correlationId"])


def model(frames: Sequence[Sent]) -> list[Heard]:
    """Say what must come back, by the RFC alone; a close ends it."""
    heard: list[Heard] = []
    message: bytes | None = None  # the text that has begun
    for one in frames:
        wrong_length = len(one.payload) <= 125 and one.long > 0
        if one.opcode not in (0, 1, 2, 8, 9, 10) or one.rsv or not one.masked or wrong_length:
            return [*heard, ("close", 1002)]
        if one.control and (not one.fin or len(one.payload) > 125):
            return [*heard, ("close", 1002)]
        if one.opcode == PING:
            heard.append(("pong", one.payload))
        elif one.opcode == CLOSE:
            return [*heard, ("close", close_code(one.payload))]
        elif not one.control:
            if (one.opcode == CONTINUATION) != (message is not None):
                return [*heard, ("close", 1002)]
            if one.opcode == BINARY:
                return [*heard, ("close", 1003)]
            message = (message or b"") + one.payload
            try:
                codecs.getincrementaldecoder("utf-8")().decode(message, one.fin)
            except UnicodeDecodeError:
                return [*heard, ("close", 1007)]
            if one.fin:
                heard.append(answer_to(message))
                message = None
    return heard


def close_code(payload: bytes) -> int | None:
    if not payload:
        return None
    if len(payload) == 1 or struct.unpack("!H", payload[:2])[0] not in GOOD_CODES:
        return 1002
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        return 1007
    return int(struct.unpack("!H", payload[:2])[0])


@st.composite
def good_message(draw: st.DrawFn) -> list[Sent]:
    """A text in fragments, with pings and pongs between them."""
    payload = said(draw(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=20)))
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=4)))
    parts = [payload[start:end] for start, end in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
    frames: list[Sent] = []
    for place, part in enumerate(parts):
        frames.append(Sent(CONTINUATION if place else TEXT, part, fin=place == len(parts) - 1))
        if draw(st.booleans()):
            frames.append(Sent(draw(st.sampled_from([PING, PONG])), draw(st.binary(max_size=125))))
    return frames


any_frame = st.builds(
    Sent,
    opcode=st.sampled_from([TEXT, TEXT, CONTINUATION, PING, PONG, BINARY, CLOSE, 3, 11]),
    payload=st.one_of(
        st.binary(max_size=130), st.text(max_size=30).map(str.encode),
        st.sampled_from([1000, 1005, 1012, 2000, 3000, 4999, 5000]).map(lambda code: struct.pack("!H", code)),
    ),
    fin=st.sampled_from([True, True, True, False]),
    rsv=st.sampled_from([0, 0, 0, 0, 0, 0, 1, 4]),
    masked=st.sampled_from([True, True, True, True, True, True, False]),
    long=st.sampled_from([0, 0, 0, 0, 0, 2, 8]),
)  # fmt: skip


@settings(max_examples=60)
@given(
    good=st.lists(good_message(), max_size=3),
    wild=st.lists(any_frame, max_size=4),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_any_frames_cut_anywhere_get_what_the_model_says(
    shared_server: LiveServer, good: list[list[Sent]], wild: list[Sent], cuts: list[int]
) -> None:
    frames = [one for message in good for one in message] + wild
    heard = model(frames)
    ends = bool(heard) and heard[-1][0] == "close"
    if not ends and open_message(frames):
        frames.append(Sent(CLOSE))  # what lives on must be at a message's end to be asked whether it does
        heard, ends = model(frames), True
    data = b"".join(one.data() for one in frames)
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    chunks = [data[start:end] for start, end in pairwise(places)]
    assert conversation(shared_server.port, chunks, ends=ends) == heard


def open_message(frames: Sequence[Sent]) -> bool:
    data = [one.fin for one in frames if not one.control]
    return bool(data) and not data[-1]
