"""Serve the app with gunicorn: one process, a small pool of threads, the hub beside them."""

from __future__ import annotations

import gc
import logging
import os
import resource
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any, Protocol

from gunicorn.app.base import BaseApplication

from settings import Settings

log = logging.getLogger("scrapeboard")

STALLED_S = 20
# From SIGTERM to the end, at most: the worker's requests get 2 s, and the board 4.5; then gunicorn kills.
END_S = 8
BOARD_END_S = 4.5
# The most that gunicorn allows: a link may hold a page's whole URL (`url=`), each sign of it written as three.
LONGEST_REQUEST_LINE = 8_190  # characters


class Board(Protocol):
    """The wired program: what is served, and the threads behind it."""

    @property
    def server(self) -> Any:
        """The WSGI application."""

    def start(self) -> None:
        """Start the threads."""

    def stop(self, timeout_s: float) -> None:
        """Flush, say good-bye and end the threads, in so many seconds."""


class Server(BaseApplication):
    """gunicorn with our settings; the app is made in the worker, after the fork, so that its threads live there."""

    def __init__(self, settings: Settings, make: Callable[[Settings], Board]) -> None:
        self.settings = settings
        self.make = make
        self.board: Board | None = None
        super().__init__()

    def load_config(self) -> None:
        """Tell gunicorn what to do."""
        values: dict[str, Any] = {
            "bind": _bind(self.settings),
            "workers": 1,
            "worker_class": "web.worker.PatientWorker",
            "threads": self.settings.threads,
            "worker_connections": _most_http_connections(),
            "when_ready": _end_stalled_requests,
            "graceful_timeout": END_S,
            "timeout": 0,  # a busy worker is no dead worker
            "keepalive": 30,
            "limit_request_line": LONGEST_REQUEST_LINE,
            "sendfile": False,  # it would keep a thread until the client has it all
            "accesslog": None,
            "loglevel": self.settings.log_level,
            "control_socket_disable": True,
            "worker_exit": self._stop,
            "post_worker_init": self._started,
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Make the app in the worker."""
        self.board = self.make(self.settings)
        self.board.start()
        look_for_cycles_less_often()
        return self.board.server

    def _started(self, _worker: Any) -> None:
        log.info("Scrapeboard is ready: http://%s:%s", self.settings.host, self.settings.port)

    def _stop(self, _arbiter: Any, _worker: Any) -> None:
        if self.board is None:
            return
        self.board.stop(BOARD_END_S)
        logging.shutdown()
        os._exit(0)  # a request that hangs has a thread that Python would wait for, until gunicorn kills all


def _bind(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"


def _most_http_connections() -> int:
    """Return how many HTTP connections may be open: the hub leaves a quarter of the open files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(2_000, max(32, files // 4))


def _end_stalled_requests(arbiter: Any) -> None:
    """Let no read or write of an HTTP request wait for ever: a host that lost its power would keep a thread.

    Sockets inherit the limit from the one that accepts them; the hub's don't block, so it isn't theirs.
    """
    limit = struct.pack("ll", STALLED_S, 0)
    for listener in arbiter.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def look_for_cycles_less_often() -> None:
    """Tell Python's garbage collector what the program is like: it took a sixth of the time of an ingest.

    Every 700 objects that are there more than before it looks for cycles; one batch brings thousands, without any. What
    is here now stays for good, so it isn't looked through either.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def allow_many_sockets() -> None:
    """Raise the soft limit of open files to the hard one: every viewer is an open file, and 1,024 are soon gone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def serve(settings: Settings, make: Callable[[Settings], Board]) -> None:
    """Serve until SIGTERM or Ctrl+C; doesn't return.

    Args:
        settings: what the operator set.
        make: wires the program; called in the serving process.
    """
    allow_many_sockets()
    try:
        Server(settings, make).run()
    except SystemExit as ended:
        if not isinstance(ended.code, int | None):
            raise
        # All is stored and said. To free every module first takes half a second of a processor that others want, too.
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code or 0)
