"""Serve an app of the bench as the program serves its own: gunicorn with threads, one worker."""

from __future__ import annotations

from collections.abc import Callable

from bench._served import free_port
from settings import Settings, load
from web import serve as served

MOST_THREADS = 512  # that the program would use


class _Server(served.Server):
    def load_config(self) -> None:
        super().load_config()
        self.cfg.set("worker_connections", 20_000)
        if self.settings.threads > MOST_THREADS:  # a naive viewer's thread waits in a read for ever
            self.cfg.set("when_ready", lambda _arbiter: None)
            self.cfg.set("worker_class", "gthread")


def serve(make: Callable[[int], served.Board], *, threads: int) -> None:
    """Serve until the process is ended.

    Args:
        make: Makes the app for a port; called in the serving process.
        threads: How many requests (for naive ones: viewers) may be served at once.
    """
    port = free_port()
    settings = load({"SCRAPEBOARD_PORT": str(port), "SCRAPEBOARD_LOG_LEVEL": "warning"}, env_file=None)
    settings = settings.model_copy(update={"threads": threads})

    def board(_settings: Settings) -> served.Board:
        return make(port)

    _Server(settings, board).run()
