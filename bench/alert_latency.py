"""From the metric that crosses a threshold to the webhook that arrived: `python -m bench.alert_latency`.

A real app on SQLite with a rule without `for`; each round another scraper fails, at any moment between two evaluations,
and tells so over POST /api/ingest. The goal is less than 5 s.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson

from alerts.channels import ChannelSecret, channel_of, new_key
from alerts.defaults import DEFAULT_RULES
from bench._served import running_app, summary
from db.alert_settings import AlertSettings
from db.engine import make_engine
from db.migrate import upgrade


class Receiver(ThreadingHTTPServer):
    """Notes when each source was told of."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.daemon_threads = True
        self.arrived: dict[str, float] = {}
        self.news = threading.Condition()

    def wait_for(self, source: str, timeout_s: float = 60) -> float | None:
        """Return when a source was told of, None when it wasn't in time."""
        with self.news:
            self.news.wait_for(lambda: source in self.arrived, timeout_s)
        return self.arrived.get(source)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Take a message."""
        at_s = time.perf_counter()
        document = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        server = self.server
        assert isinstance(server, Receiver)
        with server.news:
            for one in document["notifications"]:
                for entry in one["firing"]:
                    server.arrived.setdefault(entry["key"], at_s)
            server.news.notify_all()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def prepare(url: str, address: str) -> None:
    """Set up one rule and one channel."""
    engine = make_engine(url=url)
    upgrade(engine)
    settings = AlertSettings(engine)
    settings.put_all("rules", {rule.id: {**rule.document(), "enabled": False} for rule in DEFAULT_RULES}, by="bench")
    rule = {"id": "low", "name": "Low", "what": "success_rate", "threshold": 50, "window": "1m", "min_samples": 5}
    settings.put("rules", "low", rule, by="bench")
    channel = channel_of({"id": "hook", "name": "Hook", "kind": "webhook", "per_minute": 600, "burst": 100})
    settings.put("channels", "hook", channel.document(), by="bench", secret=ChannelSecret(address, new_key()).text())
    engine.dispose()


def fail(url: str, source: str) -> tuple[float, float]:
    """Let a scraper fail; returns when its metrics were sent and when they were accepted, by the clock of arrivals."""
    # Failures that look alike would be one group, and its second notification waits for a minute.
    error = "".join(random.choices("ghijklmnopqrstuvwxyz", k=12))
    metric = {
        "type": "page_navigation", "scraperSource": source, "url": f"https://{error}.example/", "retryCount": 0,
        "navigationDurationMs": 100, "success": False, "error": error, "recordedAt": int(time.time() * 1000),
    }  # fmt: skip
    body = orjson.dumps({"batchId": uuid.uuid4().hex, "metrics": [metric] * 10})
    request = urllib.request.Request(f"{url}/api/ingest", body, {"Content-Type": "application/json"})
    sent_s = time.perf_counter()
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()
    return sent_s, time.perf_counter()


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=20, help="how many scrapers fail")
    rounds = parser.parse_args().rounds
    receiver = Receiver()
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    delivered_ms, ingest_ms, late = [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{Path(folder) / 'bench.db'}"
        prepare(database, f"http://127.0.0.1:{receiver.server_port}/")
        with running_app(database) as url:
            fail(url, "first")
            receiver.wait_for("first")
            for number in range(rounds):
                time.sleep(random.uniform(0.5, 2.5))
                source = f"scraper-{number}"
                sent_s, accepted_s = fail(url, source)
                ingest_ms.append((accepted_s - sent_s) * 1000)
                arrived_s = receiver.wait_for(source)
                if arrived_s is None:
                    late += 1
                else:
                    delivered_ms.append((arrived_s - sent_s) * 1000)
    receiver.shutdown()
    receiver.server_close()
    print(
        json.dumps(
            {
                "bench": "alert_latency",
                "rounds": rounds,
                "sent_to_webhook_ms": summary(delivered_ms),
                "of_which_ingest_ms": summary(ingest_ms),
                "not_within_60_s": late,
                "goal_ms": 5_000,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
