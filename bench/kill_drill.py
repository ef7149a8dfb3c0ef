"""Kill the app, the database or both under load, again and again: `python -m bench.kill_drill [--rounds 50]`.

Scrapers post batches to `POST /api/ingest` as the collector does: each with its id until it is acknowledged. At a
random moment the app (`python app.py`) or MariaDB gets SIGKILL, is started again on the same data, and what the
database holds is compared with what was acknowledged: detail rows, scheduler runs, minutes, hours and days, exactly.
The result is one JSON document; everything under `wrong` must be 0.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from bench._acknowledged import DAY_MS, HOUR_MS, MINUTE_MS, Acknowledged
from collector.errors import SinkUnavailable
from collector.events import Metric, PageNavigation, PageScrape, SchedulerRun
from collector.run_events import ScraperRun
from collector.sinks import Batch, HttpSink
from db.clock import now_ms
from db.engine import make_engine
from tests.apps import PrivateApp
from tests.servers import PrivateMariaDB, ServerFailedError, ServerMissingError

SENDERS = 4
_PAUSE_S = 0.04  # between two batches of a sender: the load is there to be interrupted, not to be measured
_BACK_MS = (0, 0, 0, 3 * MINUTE_MS, 40 * MINUTE_MS, 5 * HOUR_MS, 3 * DAY_MS)  # batches are up to so old


class Load:
    """Senders that go on through every kill until they are told to rest.

    Args:
        url: The app's address.
        seed: Of everything random.
    """

    def __init__(self, url: str, seed: int) -> None:
        self.acknowledged = Acknowledged()
        self.duplicates = 0
        self.refused: Counter[str] = Counter()
        self._lock = threading.Lock()  # protects the two above
        self._ended = False
        self._go = threading.Event()
        self._resting = [threading.Event() for _ in range(SENDERS)]
        self._threads = [
            threading.Thread(target=self._send, args=(number, url, random.Random(seed * 1000 + number)), daemon=True)
            for number in range(SENDERS)
        ]
        for thread in self._threads:
            thread.start()

    def go(self) -> None:
        """Let the senders send."""
        for resting in self._resting:
            resting.clear()
        self._go.set()

    def rest(self, timeout_s: float) -> bool:
        """Stop after the batches that are under way; False when one wasn't acknowledged in time."""
        self._go.clear()
        deadline_s = time.monotonic() + timeout_s
        return all(resting.wait(max(0.0, deadline_s - time.monotonic())) for resting in self._resting)

    def end(self) -> None:
        """End the threads."""
        self._ended = True
        self._go.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def _send(self, sender: int, url: str, rng: random.Random) -> None:
        sink, number = HttpSink(url, timeout_s=10), 0
        while not self._ended:
            if not self._go.is_set():
                self._resting[sender].set()
                self._go.wait()
                continue
            number += 1
            batch = make_batch(f"sender{sender}-{number}", rng)
            while not self._ended:
                try:
                    delivery = sink.send(batch)
                except SinkUnavailable as exc:
                    with self._lock:
                        self.refused[_kind(str(exc))] += 1
                    time.sleep(0.05)
                    continue
                assert not delivery.rejected, delivery
                self.acknowledged.add(batch)
                with self._lock:
                    self.duplicates += delivery.duplicate
                break
            time.sleep(rng.uniform(0, 2 * _PAUSE_S))
        sink.close()


def _kind(reason: str) -> str:
    """Return what is alike in many reasons."""
    for part in ("503", "Connection refused", "Connection reset", "RemoteDisconnected", "timed out", "IncompleteRead"):
        if part in reason:
            return part
    return reason[:120]


def make_batch(batch_id: str, rng: random.Random) -> Batch:
    """Return a batch of up to 44 metrics around one moment, most of them of now, some of hours and days ago."""
    moment_ms = now_ms() - rng.randrange(rng.choice(_BACK_MS) + 1)
    metrics: list[Metric] = []
    for number in range(rng.randrange(1, 40)):
        source, at_ms = f"source{rng.randrange(5)}", moment_ms - rng.randrange(2000)
        url, ok, duration_ms = f"https://{source}.test/{number}", rng.random() < 0.9, rng.randrange(1, 40_000) / 4
        error = None if ok else "näh 🕸"
        if rng.random() < 0.6:
            metrics.append(PageNavigation(source, url, duration_ms, ok, rng.randrange(3), error, 200, at_ms, batch_id))
        else:
            items = rng.randrange(50)
            fields = {"price": rng.randrange(items + 1), "title": items} if rng.random() < 0.5 else None
            metrics.append(
                PageScrape(source, url, duration_ms, items, ok, error, 1000, None, at_ms, batch_id, fields=fields)
            )
    for _ in range(rng.randrange(3)):
        items, duration_ms = rng.randrange(100), rng.randrange(1, 4000) / 4
        metrics.append(SchedulerRun("nightly", duration_ms, True, items, None, "source1", moment_ms, batch_id))
    return Batch(batch_id, tuple(metrics), tuple(_told(moment_ms, rng) for _ in range(rng.randrange(3))))


def _told(moment_ms: int, rng: random.Random) -> ScraperRun:
    """Return a message about one of some runs that all senders tell of, in any order."""
    state = rng.choice(("running", "running", "running", "ok", "failed", "killed"))
    at_ms = moment_ms - rng.randrange(2_000)
    return ScraperRun(
        "drill", f"run{rng.randrange(200)}", None, state, at_ms - 1_000, at_ms, rng.randrange(1_000), None, 30_000, None
    )


class Drill:
    """Kills, restarts and compares.

    Args:
        app: The running app.
        mariadb: Its database, None for SQLite.
        rng: What is random about it.
    """

    def __init__(self, app: PrivateApp, mariadb: PrivateMariaDB | None, rng: random.Random, seed: int) -> None:
        self.app, self.mariadb, self._rng = app, mariadb, rng
        self.load = Load(app.url, seed)
        self.kills: Counter[str] = Counter()
        self.settled_s: list[float] = []
        self.engine = make_engine(url=app.settings["DATABASE_URL"])

    def round(self, *, compares: bool, settle_timeout_s: float) -> dict[str, int] | None:
        """Do one round; returns what is wrong afterwards, None when it wasn't asked or nothing is."""
        self.load.go()
        time.sleep(self._rng.uniform(0.05, 2.5))
        victims = self._rng.choice(("app", "mariadb", "both")) if self.mariadb else "app"
        self.kills[victims] += 1
        self._kill_and_start(victims)
        time.sleep(self._rng.uniform(0, 0.3))
        if not self.load.rest(timeout_s=30):
            return {"batches_without_an_answer": 1}
        return self._compare(settle_timeout_s) if compares else None

    def _kill_and_start(self, victims: str) -> None:
        if victims == "both" and self._rng.random() < 0.5:
            self.app.kill()
        if self.mariadb and victims != "app":
            self.mariadb.kill()
        if victims != "mariadb":
            self.app.kill()
        if self.mariadb and victims != "app":
            self.mariadb.start()
        if victims == "mariadb":
            return
        if self._rng.random() < 0.25:  # once more, while it starts and catches up
            self.kills["app while it starts"] += 1
            starting = threading.Timer(self._rng.uniform(0.2, 3.0), self.app.kill)
            starting.start()
            with contextlib.suppress(ServerFailedError, AttributeError):
                self.app.start()
            starting.join()
        self.app.start()

    def _compare(self, timeout_s: float) -> dict[str, int] | None:
        """Wait until the rollups have followed, at most so long; rows and runs are right at once or never."""
        begun_s = time.monotonic()
        while True:
            wrong = self._differences()
            waited_s = time.monotonic() - begun_s
            if not any(wrong.values()):
                self.settled_s.append(waited_s)
                return None
            if waited_s > timeout_s or any(count for what, count in wrong.items() if what.startswith(("bat", "run"))):
                return wrong
            time.sleep(0.2)

    def _differences(self) -> dict[str, int]:
        for _ in range(3):
            with contextlib.suppress(SQLAlchemyError):  # the pool's connections to a server that was killed
                return self.load.acknowledged.differences(self.engine)
        return self.load.acknowledged.differences(self.engine)


def drill(
    database: str, rounds: int, *, seed: int = 1, compare_every: int = 3, settle_timeout_s: float = 60.0
) -> dict[str, Any]:
    """Run the drill.

    Args:
        database: `mariadb` or `sqlite`.
        rounds: Kills; a round takes about six seconds.
        seed: Of everything random but the operating system.
        compare_every: How many rounds lie between two comparisons; there is one after the last round too.
        settle_timeout_s: How long rollups may take to follow.

    Returns:
        The JSON document.
    """
    rng, begun_s = random.Random(seed), time.monotonic()
    failed: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        mariadb: PrivateMariaDB | None = None
        if database == "mariadb":
            mariadb = stack.enter_context(PrivateMariaDB())
            mariadb.execute("CREATE DATABASE metrics")
            url = mariadb.url("metrics")
        else:
            url = f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/metrics.db"
        app = stack.enter_context(PrivateApp(url))
        made = Drill(app, mariadb, rng, seed)
        stack.callback(made.engine.dispose)
        stack.callback(made.load.end)
        done = 0
        for number in range(rounds):
            compares = (number + 1) % compare_every == 0 or number + 1 == rounds
            wrong = made.round(compares=compares, settle_timeout_s=settle_timeout_s)
            done += 1
            if wrong is not None:
                failed.append({"round": number + 1, "wrong": wrong})
                break
        tracebacks = [part[:3000] for part in app.log().split("Traceback (most recent call last):")[1:]]
        return {
            "bench": "kill_drill", "database": database, "seed": seed, "rounds": done, "kills": dict(made.kills),
            "acknowledged_batches": len(made.load.acknowledged), "acknowledged_metrics": made.load.acknowledged.metrics,
            "answered_as_duplicate": made.load.duplicates, "refused_then_sent_again": dict(made.load.refused),
            "comparisons": len(made.settled_s) + len(failed),
            "longest_until_rollups_settled_s": round(max(made.settled_s, default=0.0), 1),
            "seconds": round(time.monotonic() - begun_s, 1), "tracebacks_in_the_apps_log": tracebacks,
            "failed": failed, "passed": not failed,
        }  # fmt: skip


def main() -> int:
    """Run the drill and print one JSON document; exit code 1 when something isn't exactly what was acknowledged."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50, help="how many kills")
    parser.add_argument("--database", choices=("mariadb", "sqlite", "both"), default="both")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--compare-every", type=int, default=3, help="compare after so many rounds")
    parser.add_argument("--log", type=Path, help="where the documents are written too")
    options = parser.parse_args()
    documents: list[dict[str, Any]] = []
    for database in ("mariadb", "sqlite") if options.database == "both" else (options.database,):
        try:
            documents.append(drill(database, options.rounds, seed=options.seed, compare_every=options.compare_every))
        except (ServerMissingError, ServerFailedError) as exc:
            documents.append({"bench": "kill_drill", "database": database, "not_measured": str(exc)})
    text = json.dumps(documents if len(documents) > 1 else documents[0], indent=2)
    if options.log:
        options.log.write_text(text)
    print(text)
    return 0 if all(document.get("passed", True) for document in documents) else 1


if __name__ == "__main__":
    sys.exit(main())
