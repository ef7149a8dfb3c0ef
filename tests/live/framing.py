"""WebSocket frames made by hand, right and wrong ones, and a peer that sends them."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections.abc import Iterable, Sequence
from typing import Any, Self

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
MASK = b"\x37\xfa\x21\x3d"
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)

# What came back: ("text", its type, its correlation id or error code), ("pong", payload), ("close", code or None).
Heard = tuple[Any, ...]


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True, long: int = 0
) -> bytes:
    """Build a client's frame.

    Args:
        opcode: Also one that doesn't exist.
        payload: Its bytes.
        fin: Whether the message ends here.
        rsv: The three reserved bits, 0 to 7.
        masked: As a client must.
        long: Bytes of the length to use more than needed: 2 or 8.
    """
    size, mask_bit = len(payload), 0x80 if masked else 0
    if long == 8 or size > 0xFFFF:
        length = bytes([mask_bit | 127]) + struct.pack("!Q", size)
    elif long == 2 or size > 125:
        length = bytes([mask_bit | 126]) + struct.pack("!H", size)
    else:
        length = bytes([mask_bit | size])
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode]) + length
    if not masked:
        return head + payload
    return head + MASK + bytes(byte ^ MASK[place % 4] for place, byte in enumerate(payload))


def fragments(payload: bytes, size: int, opcode: int = TEXT) -> bytes:
    """Build a message in fragments of so many bytes."""
    parts = [payload[start : start + size] for start in range(0, len(payload), size)] or [b""]
    last = len(parts) - 1
    return b"".join(
        frame(opcode if place == 0 else CONTINUATION, part, fin=place == last) for place, part in enumerate(parts)
    )


def close(code: int | None = None, reason: bytes = b"") -> bytes:
    """Build a close frame."""
    return frame(CLOSE, (b"" if code is None else struct.pack("!H", code)) + reason)


def said(text: str = "hello", *, pad: int = 0) -> bytes:
    """Return a message of the channel that is answered with its own text.

    Args:
        text: What comes back.
        pad: The message's length in bytes, at least; what is missing is filled up.
    """
    message = json.dumps({"type": "ping", "correlationId": text}, ensure_ascii=False).encode()
    return message if len(message) >= pad else message[:-1] + b" " * (pad - len(message)) + b"}"


class Peer:
    """A client that has shaken hands and says what a test wants it to, byte by byte if need be.

    Args:
        port: The server's, on this machine.
        path: The channel's.
        headers: Further lines of the handshake.
    """

    def __init__(self, port: int, path: str = "/ws/metrics", headers: Iterable[str] = ()) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=90)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        more = "".join(f"{line}\r\n" for line in headers)
        self.sock.sendall(HANDSHAKE.format(path=path, port=port, more=more).encode())
        self._file = self.sock.makefile("rb")
        self.answer = self._file.readline().decode()
        self.headers = [line.decode().strip() for line in iter(self._file.readline, b"\r\n") if line]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.sock.close()

    def send(self, *chunks: bytes) -> None:
        """Send chunks, each on its own; a server that hears no more is no mistake of the sender."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for chunk in chunks:
                self.sock.sendall(chunk)

    def hear(self) -> Heard:
        """Return the next thing that the server says; ("end",) when it has ended its side."""
        head = self._file.read(2)
        if not head:
            return ("end",)
        opcode, size = head[0] & 15, head[1]
        assert head[0] & 0x70 == 0, "a reserved bit"
        assert size < 128, "a server masks nothing"
        if size == 126:
            (size,) = struct.unpack("!H", self._file.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._file.read(8))
        payload = self._file.read(size)
        if opcode == CLOSE:
            return ("close", struct.unpack("!H", payload[:2])[0] if payload else None)
        if opcode in (PING, PONG):
            return ("ping" if opcode == PING else "pong", payload)
        message = json.loads(payload)
        return ("text", message["type"], message.get("correlationId", message.get("code")))

    def hear_until(self, last: Heard) -> list[Heard]:
        """Return everything before something that is heard."""
        heard: list[Heard] = []
        while (one := self.hear()) != last:
            assert one != ("end",), f"the server ended after {heard}"
            heard.append(one)
        return heard

    def hear_all(self) -> list[Heard]:
        """Return everything until the server ends its side."""
        return list(iter(self.hear, ("end",)))


def conversation(port: int, chunks: Sequence[bytes], *, ends: bool) -> list[Heard]:
    """Return what a server says to a client after its greeting.

    Args:
        port: The server's.
        chunks: What the client sends, each on its own.
        ends: Whether that ends the connection; when it doesn't, that it lives is tried, and it is closed in order.
    """
    with Peer(port) as peer:
        assert peer.hear()[:2] == ("text", "connected")
        peer.send(*chunks)
        if ends:
            return peer.hear_all()
        peer.send(frame(TEXT, b'{"type":"heartbeat","correlationId":"the end"}'))
        heard = peer.hear_until(("text", "heartbeat_ack", "the end"))
        peer.send(close(1000))
        assert peer.hear_all() == [("close", 1000)]
        return heard


def chopped(data: bytes, size: int) -> list[bytes]:
    """Cut bytes into pieces of so many."""
    return [data[start : start + size] for start in range(0, len(data), size)]
