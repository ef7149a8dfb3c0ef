"""What a WebSocket server must do with frames, case by case: the list of the Autobahn suite for `/ws/metrics`.

The suite's own echo server takes any text and any bytes. This channel speaks JSON texts alone, so its cases are
adapted: what is to come back is the `correlationId` of a `ping`; a text that is no JSON is answered with an error; a
binary message ends the connection with 1003. Numbers are those of the suite's sections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from live.protocol import MAX_MESSAGE_BYTES
from tests.live.conftest import LiveServer
from tests.live.framing import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Heard,
    Peer,
    chopped,
    close,
    conversation,
    fragments,
    frame,
    said,
)

HELLO: Heard = ("text", "pong", "hello")
NOT_JSON: Heard = ("text", "error", "bad_json")
BROKEN, BAD_TEXT, NO_BINARY, TOO_BIG = (("close", code) for code in (1002, 1007, 1003, 1009))
hello = frame(TEXT, said())
half, rest = said()[:20], said()[20:]
begun = frame(TEXT, half, fin=False)


@dataclass(frozen=True, slots=True)
class Case:
    """What is sent, and what must come back; a close at its end means that the connection is over."""

    name: str
    sent: Sequence[bytes]
    heard: Sequence[Heard]


def echo(text: str, size: int | None = None) -> Case:
    """Return the case of a text that comes back, chopped into pieces of so many bytes."""
    whole = frame(TEXT, said(text))
    return Case(
        f"6 valid {text!r:.40} {size or ''}", chopped(whole, size) if size else [whole], [("text", "pong", text)]
    )


def bad_text(name: str, bad: bytes) -> Case:
    return Case(f"6 invalid {name}", [frame(TEXT, b'{"type":"ping","correlationId":"' + bad + b'"}')], [BAD_TEXT])


FRAMING = [
    *(
        Case(f"1.1 text of {size} bytes", [frame(TEXT, said(pad=size))], [HELLO])
        for size in (125, 126, 127, 128, 65_535, 65_536)
    ),
    *(
        Case(f"1.1 text in packets of {size}", chopped(frame(TEXT, said(pad=pad)), size), [HELLO])
        for size, pad in ((1, 130), (997, 65_535))
    ),
    Case("1.1 empty text", [frame(TEXT)], [NOT_JSON]),
    *(
        Case(f"1.2 binary of {size} bytes", [frame(BINARY, b"\xfe" * size)], [NO_BINARY])
        for size in (0, 125, 126, 127, 128, 65_535, 65_536)
    ),
    *(
        Case(f"1.x a length of {size} in {long} bytes", [frame(TEXT, b"x" * size, long=long)], [BROKEN])
        for size, long in ((0, 2), (125, 2), (125, 8), (65_535, 8))
    ),
    Case("1.x a length that is negative", [b"\x81\xff" + b"\xff" * 8], [BROKEN]),
    Case("1.x unmasked", [frame(TEXT, said(), masked=False)], [BROKEN]),
    Case("1.x unmasked control frame", [frame(PING, b"x", masked=False)], [BROKEN]),
    Case("1.x what precedes a broken frame counts", [hello + frame(3)], [HELLO, BROKEN]),
]

PINGS = [
    Case("2.1 empty", [frame(PING)], [("pong", b"")]),
    Case("2.2 text", [frame(PING, b"Hello, world!")], [("pong", b"Hello, world!")]),
    Case(
        "2.3 binary",
        [frame(PING, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")],
        [("pong", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")],
    ),
    Case("2.4 125 bytes", [frame(PING, b"\xfe" * 125)], [("pong", b"\xfe" * 125)]),
    Case("2.5 126 bytes", [frame(PING, b"\xfe" * 126)], [BROKEN]),
    Case("2.6 byte by byte", chopped(frame(PING, b"\xfe" * 125), 1), [("pong", b"\xfe" * 125)]),
    Case("2.7 a pong nobody asked for", [frame(PONG)], []),
    Case("2.8 such a pong with a payload", [frame(PONG, b"unsolicited")], []),
    Case("2.9 such a pong, then a ping", [frame(PONG, b"u") + frame(PING, b"p")], [("pong", b"p")]),
    Case("2.10 ten pings", [frame(PING, bytes([n])) for n in range(10)], [("pong", bytes([n])) for n in range(10)]),
    Case(
        "2.11 ten pings byte by byte",
        chopped(b"".join(frame(PING, bytes([n])) for n in range(10)), 1),
        [("pong", bytes([n])) for n in range(10)],
    ),
]

RESERVED = [
    *(Case(f"3 bits {rsv}", [frame(TEXT, said(), rsv=rsv)], [BROKEN]) for rsv in range(1, 8)),
    Case("3.2 after a good message", [hello, frame(TEXT, said(), rsv=2)], [HELLO, BROKEN]),
    Case("3.4 byte by byte", chopped(hello + frame(TEXT, said(), rsv=4), 1), [HELLO, BROKEN]),
    Case("3.5 binary", [frame(BINARY, b"x", rsv=5)], [BROKEN]),
    Case("3.6 ping", [frame(PING, b"x", rsv=6)], [BROKEN]),
    Case("3.7 close", [frame(8, rsv=7)], [BROKEN]),
    *(Case(f"4 opcode {opcode}", [frame(opcode, b"x")], [BROKEN]) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
    Case("4 after a good message", [hello, frame(4, b"x"), frame(PING)], [HELLO, BROKEN]),
    Case("4 within a message", [begun + frame(11, b"x")], [BROKEN]),
]

FRAGMENTED = [
    Case("5.1 a ping in two fragments", [frame(PING, b"a", fin=False), frame(CONTINUATION, b"b")], [BROKEN]),
    Case("5.2 a pong in two fragments", [frame(PONG, b"a", fin=False), frame(CONTINUATION, b"b")], [BROKEN]),
    Case("5.x a close in two fragments", [frame(8, b"\x03\xe8", fin=False)], [BROKEN]),
    Case("5.3 in two fragments", [begun, frame(CONTINUATION, rest)], [HELLO]),
    Case("5.4 in two fragments in one packet", [begun + frame(CONTINUATION, rest)], [HELLO]),
    Case("5.5 in two fragments byte by byte", chopped(begun + frame(CONTINUATION, rest), 1), [HELLO]),
    Case("5.6 a ping in between", [begun, frame(PING, b"p"), frame(CONTINUATION, rest)], [("pong", b"p"), HELLO]),
    Case(
        "5.8 the same byte by byte",
        chopped(begun + frame(PING, b"p") + frame(CONTINUATION, rest), 1),
        [("pong", b"p"), HELLO],
    ),
    Case("5.9 a continuation of nothing", [frame(CONTINUATION, b"x"), hello], [BROKEN]),
    Case("5.11 byte by byte", chopped(frame(CONTINUATION, b"x") + hello, 1), [BROKEN]),
    Case("5.12 one that doesn't end", [frame(CONTINUATION, b"x", fin=False), hello], [BROKEN]),
    Case("5.15 after a message that ended", [fragments(said(), 20) + frame(CONTINUATION, b"x")], [HELLO, BROKEN]),
    Case("5.18 a new text within a text", [begun, frame(TEXT, rest)], [BROKEN]),
    Case("5.x a binary within a text", [begun, frame(BINARY, rest)], [BROKEN]),
    Case(
        "5.19 five fragments with pings in between",
        [
            frame(TEXT, said()[:10], fin=False), frame(CONTINUATION, said()[10:15], fin=False), frame(PING, b"1"),
            frame(CONTINUATION, said()[15:30], fin=False), frame(PING, b"2"), frame(CONTINUATION, said()[30:]),
        ],
        [("pong", b"1"), ("pong", b"2"), HELLO],
    ),
    Case("5.x empty fragments", [begun + frame(CONTINUATION, fin=False) * 100 + frame(CONTINUATION, rest)], [HELLO]),
]  # fmt: skip

TEXTS = [
    "κόσμε",
    "Hello-µ@ßöäüàá-UTF-8!!",
    "\x7f\u0080\u07ff\u0800\uffff",
    "\ud7ff\ue000\ufffd",
    "\U00010000\U0010ffff",
]
UTF8 = [
    *(echo(text) for text in TEXTS),
    *(echo(text, 1) for text in TEXTS),
    Case(
        "6.1 three empty fragments",
        [frame(TEXT, fin=False), frame(CONTINUATION, fin=False), frame(CONTINUATION)],
        [NOT_JSON],
    ),
    Case("6.2 a character in two fragments", [fragments(said("κόσμε"), 1)], [("text", "pong", "κόσμε")]),
    *(
        bad_text(name, bad)
        for name, bad in (
            ("lonely continuation", b"\x80"),
            ("continuations", b"\xbf\x80\xbf"),
            ("start without end", b"\xc3 "),
            ("starts of three", b"\xe0\xa0"),
            ("starts of four", b"\xf0\x90\x80"),
            ("cut short in the middle", b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"),
            ("impossible byte fe", b"\xfe"),
            ("impossible byte ff", b"\xff"),
            ("overlong slash in two", b"\xc0\xaf"),
            ("overlong slash in three", b"\xe0\x80\xaf"),
            ("overlong slash in four", b"\xf0\x80\x80\xaf"),
            ("overlong NUL", b"\xc0\x80"),
            ("largest overlong of two", b"\xc1\xbf"),
            ("largest overlong of three", b"\xe0\x9f\xbf"),
            ("five bytes", b"\xf8\x88\x80\x80\x80"),
            ("six bytes", b"\xfc\x84\x80\x80\x80\x80"),
            ("beyond the last character", b"\xf4\x90\x80\x80"),
            ("high surrogate", b"\xed\xa0\x80"),
            ("low surrogate", b"\xed\xbf\xbf"),
            ("pair of surrogates", b"\xed\xa0\x80\xed\xb0\x80"),
        )
    ),
    Case("6.3 invalid in fragments", [fragments(b"\xce\xba\xed\xa0\x80edited", 1)], [BAD_TEXT]),
    Case("6.x a message that ends within a character", [frame(TEXT, b"\xce\xba\xe1\xbd")], [BAD_TEXT]),
    # Fail fast: nothing more is sent, and the verdict comes all the same.
    Case(
        "6.4.1 a bad fragment, the message not over", [frame(TEXT, b"\xce\xba\xf4\x90\x80\x80", fin=False)], [BAD_TEXT]
    ),
    Case("6.4.3 a bad part, the frame not over", [frame(TEXT, b"\xce\xba\xf4\x90\x80\x80edited")[:-6]], [BAD_TEXT]),
    Case("6.4.4 the byte that can't be", [frame(TEXT, b"\xce\xba\xf4\x90\x80\x80edited")[:-8]], [BAD_TEXT]),
]

CLOSING = [
    Case("7.1.2 two closes", [close(1000), close(1000)], [("close", 1000)]),
    Case("7.1.3 a ping after the close", [close(1000) + frame(PING, b"x")], [("close", 1000)]),
    Case("7.1.4 a text after the close", [close(1000) + hello], [("close", 1000)]),
    Case("7.1.5 a close within a message", [begun + close(1000) + frame(CONTINUATION, rest)], [("close", 1000)]),
    Case(
        "7.1.6 much before the close",
        [frame(TEXT, said(pad=65_000)) * 4 + close(1000)],
        [HELLO] * 4 + [("close", 1000)],
    ),
    Case("7.3.1 no code", [close()], [("close", None)]),
    Case("7.3.2 half a code", [frame(8, b"\x03")], [BROKEN]),
    Case("7.3.3 a code", [close(1000)], [("close", 1000)]),
    Case("7.3.4 a reason", [close(1000, b"Hello, world!")], [("close", 1000)]),
    Case("7.3.5 the longest reason", [close(1000, b"*" * 123)], [("close", 1000)]),
    Case("7.3.6 a reason too long", [close(1000, b"*" * 124)], [BROKEN]),
    Case("7.5.1 a reason that is no UTF-8", [close(1000, b"\xce\xba\xed\xa0\x80")], [BAD_TEXT]),
    *(
        Case(f"7.7 code {code}", [close(code)], [("close", code)])
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    ),
    *(
        Case(f"7.9 code {code}", [close(code)], [BROKEN])
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535)
    ),
]

LIMITS = [
    *(
        Case(f"9.3 the largest text in fragments of {size}", [fragments(said(pad=MAX_MESSAGE_BYTES), size)], [HELLO])
        for size in (64, 256, 1_024, 4_096, 16_384)
    ),
    *(
        Case(
            f"9.5 the largest text in packets of {size}",
            chopped(frame(TEXT, said(pad=MAX_MESSAGE_BYTES)), size),
            [HELLO],
        )
        for size in (64, 128, 512, 2_048)
    ),
    *(
        Case(f"9.7 {count} messages of {size} bytes", [frame(TEXT, said(pad=size)) * count], [HELLO] * count)
        for count, size in ((1_000, 64), (200, 1_024))
    ),
    Case("10.1 in fragments of 1,300", [fragments(said(pad=65_536), 1_300)], [HELLO]),
    Case(
        "9.x one byte too many",
        [frame(TEXT, said(pad=MAX_MESSAGE_BYTES + 1))],
        [("text", "error", "too_big"), TOO_BIG],
    ),
    Case(
        "9.x one byte too many in fragments",
        [fragments(said(pad=MAX_MESSAGE_BYTES + 1), 4_000)],
        [("text", "error", "too_big"), TOO_BIG],
    ),
    Case(
        "9.x a length of 2^62, and the limit is told as soon as it is passed",
        [b"\x81\xff" + (1 << 62).to_bytes(8, "big") + b"\0\0\0\0" + b"x" * 70_000],
        [("text", "error", "too_big"), TOO_BIG],
    ),
]

CASES = [*FRAMING, *PINGS, *RESERVED, *FRAGMENTED, *UTF8, *CLOSING, *LIMITS]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_frames_are_answered_as_the_rfc_asks(case: Case, shared_server: LiveServer) -> None:
    ends = bool(case.heard) and case.heard[-1][0] == "close"
    assert conversation(shared_server.port, case.sent, ends=ends) == list(case.heard)


def test_a_client_that_is_gone_without_a_close_is_forgotten(shared_server: LiveServer) -> None:
    with Peer(shared_server.port) as peer:  # 7.1.1: its TCP connection ends alone
        assert peer.hear()[:2] == ("text", "connected")
    with Peer(shared_server.port) as other:
        other.send(frame(TEXT, b'{"type":"ping"}'))
        assert other.hear_until(("text", "pong", None))
