"""The app as an operator runs it, `python app.py`, in a process of its own: to be killed, and started again."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any

from tests.servers import PrivateServer, Process
from tests.warm_start import start_app

ROOT = Path(__file__).resolve().parents[1]


class PrivateApp(PrivateServer):
    """The app on a port that stays the same when it is started again.

    Args:
        database_url: As in SCRAPEBOARD_DATABASE_URL.
        settings: Further settings without their prefix, `TOKEN="x"`.
        start_timeout_s: How long it may take to answer.
    """

    name = "app"

    def __init__(self, database_url: str, *, start_timeout_s: float = 150.0, **settings: str) -> None:
        super().__init__(start_timeout_s=start_timeout_s)
        self.settings = {"DATABASE_URL": database_url, **settings}

    def command(self) -> list[str]:
        """Return the command line."""
        return [sys.executable, str(ROOT / "app.py")]

    def launch(self, log: IO[bytes]) -> Process:
        """Start it, the quick way where tests prepared that."""
        return start_app(self.environment(), log)

    def environment(self) -> Mapping[str, str]:
        """Return the environment: ours without its settings, and the app's."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith("SCRAPEBOARD_")}
        settings = {**self.settings, "PORT": str(self.port)}
        return {
            **plain,
            "PYTHONPATH": str(ROOT),
            **{f"SCRAPEBOARD_{name}": value for name, value in settings.items()},
        }

    def answers(self) -> bool:
        """Say whether it answers requests."""
        try:
            self.get("/api/stats")
        except (OSError, ValueError, HTTPException):  # the last: it was killed in the middle of an answer
            return False
        return True

    def kill(self) -> None:
        """End it and its worker at once, without a word; returns when nobody listens any more."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        super().kill()
        deadline_s = time.monotonic() + 60
        with contextlib.suppress(OSError):
            while time.monotonic() < deadline_s:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                time.sleep(0.01)

    def get(self, path: str) -> Any:
        """Return the JSON that a path answers with; an error has its body with it."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=90) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as exc:
            with exc:  # it holds the connection open: whoever drops it is warned of that, at some later moment
                body = exc.read()
            raise urllib.error.HTTPError(exc.url, exc.code, exc.reason, exc.headers, io.BytesIO(body)) from None

    def log(self) -> str:
        """Return everything that it said."""
        return (self.directory / "server.log").read_text(errors="replace")

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"
