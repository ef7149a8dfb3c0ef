"""Whether the app can listen where it is told to: known before anything else is touched, and said in one line."""

from __future__ import annotations

import errno
import socket
import time
from typing import Final

from web.errors import AddressRefused

PATIENCE_S: Final = 5.0  # for an app that is ending to let go of its port
_PAUSE_S: Final = 0.1


def check_address(host: str, port: int, *, patience_s: float = PATIENCE_S) -> None:
    """Make sure that the app can listen at an address.

    Args:
        host: As in SCRAPEBOARD_HOST.
        port: As in SCRAPEBOARD_PORT.
        patience_s: How long to wait for a port that is in use.

    Raises:
        AddressRefused: It can't; says why.
    """
    end_s = time.monotonic() + patience_s
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET  # as gunicorn decides it
    while True:
        try:
            with socket.socket(kind, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
            return
        except (OSError, UnicodeError) as exc:
            code = getattr(exc, "errno", None)
            if code == errno.EADDRINUSE and time.monotonic() < end_s:
                time.sleep(_PAUSE_S)
                continue
            raise AddressRefused(_reason(host, port, exc)) from exc


def _reason(host: str, port: int, exc: Exception) -> str:
    code = getattr(exc, "errno", None)
    if code == errno.EADDRINUSE:
        return f"port {port} of {host} is in use: end what listens there, or set SCRAPEBOARD_PORT to another"
    if code == errno.EACCES:
        return f"port {port} needs rights that this user hasn't: set SCRAPEBOARD_PORT to one from 1024 on"
    said = getattr(exc, "strerror", None) or exc
    return f"SCRAPEBOARD_HOST: {host!r} is no address of this machine ({said}); 127.0.0.1 and 0.0.0.0 always are"
