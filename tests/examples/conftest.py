"""A stand-in for the app that keeps what scrapers send, and the real pages that they crawl."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from examples.docs import find_docs


@dataclass
class Board:
    """What reached `POST /api/ingest`, each batch once."""

    url: str
    batches: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    first: threading.Event = field(default_factory=threading.Event)

    def metrics(self, kind: str, source: str) -> list[dict[str, Any]]:
        """Return a source's (or scheduler's) metrics of one kind, in the order in which they were recorded."""
        return [
            metric
            for batch in list(self.batches.values())
            for metric in batch
            if metric["type"] == kind and source in (metric.get("scraperSource"), metric.get("schedulerName"))
        ]


class BoardHandler(BaseHTTPRequestHandler):
    """Answers like the app, without a database."""

    protocol_version = "HTTP/1.1"
    board: Board

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        duplicate = content["batchId"] in self.board.batches
        self.board.batches.setdefault(content["batchId"], content["metrics"])
        self.board.first.set()
        self.reply(202, {"accepted": 0 if duplicate else len(content["metrics"]), "duplicate": duplicate})

    def do_GET(self) -> None:
        self.reply(200, {"status": "ok"})

    def reply(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def board() -> Iterator[Board]:
    """Serve a recording board on a free port."""
    handler = type("Handler", (BoardHandler,), {"timeout": 20})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        handler.board = Board(f"http://127.0.0.1:{server.server_address[1]}")  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield handler.board  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def root() -> Path:
    """Find the real pages."""
    return find_docs()
