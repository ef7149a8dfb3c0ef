"""A fleet of scrapers, and an app that is killed, hung and cut off at random: `python -m bench.chaos [--minutes 20]`.

Each scraper is a process of its own that records all the time; now and then one of them ends and another begins, which
finds on the disk what could not be delivered. The app (`python app.py`, SQLite) gets SIGKILL and is started again, is
stopped (SIGSTOP) and goes on, and the network between is cut, also between a batch and its answer. In the end

    calls = rows in the database + metrics counted as dropped

must hold exactly, without a row too many, and memory and spool must have stayed inside their bounds. The result is one
JSON document; everything under `wrong` must be empty.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench._acknowledged import count_urls
from tests.apps import ROOT, PrivateApp
from tests.proxies import CuttingProxy

EVENTS = ("kill", "hang", "refuse", "cut before", "cut after", "new scraper")
_EXIT_TIMEOUT_S = 3.0
_MOST_MB = 80.0  # of a scraper; Python and the collector alone have 20


class Scraper:
    """A process that records.

    Args:
        job: What `_chaos_scraper` reads.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        self.name: str = job["name"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench._chaos_scraper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._say(json.dumps(job))

    def end(self) -> None:
        """Tell it to end."""
        self._say("end")

    def result(self, timeout_s: float) -> dict[str, Any]:
        """Wait for its end, and return what it says."""
        output, _ = self._process.communicate(timeout=timeout_s)
        found: dict[str, Any] = json.loads(output.splitlines()[-1])
        return found

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.communicate()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()


class Chaos:
    """The fleet, the app, and what happens to them.

    Args:
        app: Running.
        proxy: In front of it.
        spool_dir: Of all scrapers.
        fleet: How many scrapers there are at once.
        per_s: How much each records in a second.
        spool_max_bytes: The spool's bound.
        rng: What is random.
    """

    def __init__(
        self,
        app: PrivateApp,
        proxy: CuttingProxy,
        spool_dir: Path,
        *,
        fleet: int,
        per_s: int,
        spool_max_bytes: int,
        rng: random.Random,
    ) -> None:
        self.app, self.proxy, self.spool_dir = app, proxy, spool_dir
        self.events: Counter[str] = Counter()
        self.results: list[dict[str, Any]] = []
        self.spool_peak_bytes = 0
        self._per_s, self._spool_max_bytes, self._rng = per_s, spool_max_bytes, rng
        self._made = 0
        self._fleet = [self._begin() for _ in range(fleet)]

    def go_on(self, seconds: float) -> None:
        """Let things happen for so long, at random."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            self._wait(self._rng.uniform(0.3, 2.5))
            self.happen([self._rng.choice(EVENTS)])

    def happen(self, events: Sequence[str]) -> None:
        """Let these things happen, one after the other."""
        for event in events:
            self._wait(self._rng.uniform(0.2, 0.6))
            self.events[event] += 1
            if event == "kill":
                self.app.kill()
                self._wait(self._rng.uniform(0, 2))
                self.app.start()
            elif event == "hang":
                self._signal(signal.SIGSTOP)
                self._wait(self._rng.uniform(0.5, 6))
                self._signal(signal.SIGCONT)
            elif event == "refuse":
                self.proxy.refuse()
                self._wait(self._rng.uniform(0.2, 4))
                self.proxy.accept()
            elif event == "new scraper":
                leaving = self._rng.randrange(len(self._fleet))
                self._fleet[leaving].end()
                self.results.append(self._fleet[leaving].result(60))
                self._fleet[leaving] = self._begin()
            else:
                self.proxy.cut(b"batchId", "before" if event == "cut before" else "after")

    def settle(self, timeout_s: float) -> None:
        """End the fleet while everything works again, and let one more process deliver what is on the disk."""
        for scraper in self._fleet:
            scraper.end()
        self.results += [scraper.result(120) for scraper in self._fleet]
        self._fleet = []
        deadline_s = time.monotonic() + timeout_s
        while self._spool_bytes() and time.monotonic() < deadline_s:
            sweeper = self._begin(per_s=20)
            self._wait(1.0)
            sweeper.end()
            self.results.append(sweeper.result(120))

    def kill(self) -> None:
        """End whatever still runs."""
        for scraper in self._fleet:
            scraper.kill()

    def _begin(self, per_s: int | None = None) -> Scraper:
        self._made += 1
        return Scraper(
            {
                "name": f"s{self._made}",
                "url": f"http://127.0.0.1:{self.proxy.port}",
                "spool_dir": str(self.spool_dir),
                "spool_max_bytes": self._spool_max_bytes,
                "max_pending": 5000,
                "per_s": self._per_s if per_s is None else per_s,
                "exit_timeout_s": _EXIT_TIMEOUT_S,
            }
        )

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.app.pid, number)

    def _wait(self, seconds: float) -> None:
        """Let time pass, and look at the spool meanwhile."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            self.spool_peak_bytes = max(self.spool_peak_bytes, self._spool_bytes())
            time.sleep(0.1)

    def _spool_bytes(self) -> int:
        size = 0
        for path in self.spool_dir.rglob("*.spool"):
            with contextlib.suppress(FileNotFoundError):
                size += path.stat().st_size
        return size


def chaos(seconds: float | Sequence[str], *, fleet: int, per_s: int, spool_max_bytes: int, seed: int) -> dict[str, Any]:
    """Run it.

    Args:
        seconds: How long things happen, or what happens, in this order.
        fleet: How many scrapers there are at once.
        per_s: How much each records in a second.
        spool_max_bytes: The spool's bound, small enough to be reached or not.
        seed: Of everything random.

    Returns:
        The JSON document; `wrong` says what doesn't add up.
    """
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="scrapeboard-chaos-") as folder:
        url = f"sqlite:///{folder}/chaos.db"
        with PrivateApp(url) as app, CuttingProxy(app.port) as proxy:
            run = Chaos(
                app, proxy, Path(folder) / "spool", fleet=fleet, per_s=per_s, spool_max_bytes=spool_max_bytes, rng=rng
            )
            try:
                if isinstance(seconds, int | float):
                    run.go_on(seconds)
                else:
                    run.happen(seconds)
                run.settle(timeout_s=60)
            finally:
                run.kill()
        rows, different = count_urls(url, "https://chaos.test/")
        spool_bytes = sum(path.stat().st_size for path in run.spool_dir.rglob("*.spool"))
    return _document(run, rows, different, spool_bytes, spool_max_bytes) | {"seconds": seconds, "seed": seed}


def _document(run: Chaos, rows: int, different: int, spool_bytes: int, spool_max_bytes: int) -> dict[str, Any]:
    total: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for result in run.results:
        total.update({key: result[key] for key in ("calls", "recorded", "flushed", "dropped", "adopted", "retries")})
        total["left_on_disk"] += result["left_on_disk"]
        total["pending"] += result["pending"]
        dropped.update(result["dropped_by_reason"])
    peak_mb = max(result["peak_mb"] for result in run.results)
    wrong = {
        "calls that were not counted": total["calls"] - total["recorded"],
        "rows that came twice": rows - different,
        "calls - stored - dropped": total["calls"] - different - total["dropped"],
        "delivered - stored": total["flushed"] - different,
        "left on the disk - adopted": total["left_on_disk"] - total["adopted"],
        "still pending": total["pending"],
        "bytes still in the spool": spool_bytes,
        "bytes of spool too many": max(0, run.spool_peak_bytes - spool_max_bytes),
        "MB of memory too many": max(0.0, peak_mb - _MOST_MB),
    }
    return {
        "bench": "chaos",
        "scrapers": len(run.results),
        "events": dict(sorted(run.events.items())),
        "stored": different,
        **total,
        "dropped_by_reason": dict(sorted(dropped.items())),
        "spool_peak_bytes": run.spool_peak_bytes,
        "spool_max_bytes": spool_max_bytes,
        "scraper_peak_mb": peak_mb,
        "wrong": {what: count for what, count in wrong.items() if count},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0, help="how long (20)")
    parser.add_argument("--fleet", type=int, default=6, help="scrapers at once (6)")
    parser.add_argument("--per-s", type=int, default=300, help="metrics a second of each (300)")
    parser.add_argument("--spool-mb", type=float, default=8.0, help="the spool's bound (8)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    document = chaos(
        given.minutes * 60,
        fleet=given.fleet,
        per_s=given.per_s,
        spool_max_bytes=int(given.spool_mb * (1 << 20)),
        seed=given.seed,
    )
    print(json.dumps(document, indent=2))
    sys.exit(1 if document["wrong"] else 0)
