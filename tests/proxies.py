"""A network that fails where a test wants it to: a TCP proxy that cuts a connection around one message."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Literal, Self

from tests.servers import free_port


class CuttingProxy:
    """Passes everything on between clients and a server of this machine, until it is told to cut.

    Args:
        server_port: The server's port.
    """

    def __init__(self, server_port: int) -> None:
        self.port = free_port()
        self.cuts = 0
        self._server_port = server_port
        self._refusing = False
        self._needle: bytes | None = None
        self._when: Literal["before", "after"] = "after"
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, needle: bytes, when: Literal["before", "after"]) -> None:
        """Cut the next connection whose client says something, once.

        Args:
            needle: What the client says, as it stands in its packet.
            when: `before`: the server never hears it; `after`: it does, and answers, and the client never hears that.
        """
        self._needle, self._when = needle, when

    def refuse(self) -> None:
        """Cut every connection, and each new one at once, until `accept`."""
        self._refusing = True
        self.cuts += 1
        _end(*self._sockets)

    def accept(self) -> None:
        """Take connections again."""
        self._refusing = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _end(self._listener, *self._sockets)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._refusing:
                    client.close()
                    continue
                try:
                    server = socket.create_connection(("127.0.0.1", self._server_port))
                except OSError:  # the server is down
                    client.close()
                    continue
                self._sockets += client, server
                answer_is_cut = threading.Event()
                threading.Thread(target=self._to_server, args=(client, server, answer_is_cut), daemon=True).start()
                threading.Thread(target=self._to_client, args=(client, server, answer_is_cut), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, answer_is_cut: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                if self._needle is not None and self._needle in data:
                    self._needle = None
                    self.cuts += 1
                    if self._when == "before":
                        break
                    answer_is_cut.set()
                server.sendall(data)
        _end(client, server)

    def _to_client(self, client: socket.socket, server: socket.socket, answer_is_cut: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                if answer_is_cut.is_set():
                    break
                client.sendall(data)
        _end(client, server)


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
