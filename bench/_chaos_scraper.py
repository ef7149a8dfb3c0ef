"""One scraper of `bench.chaos`, in a process of its own: records until it is told to stop, then says what became of it.

Reads one JSON object on standard input (url, name, spool_dir, spool_max_bytes, max_pending, per_s, exit_timeout_s),
goes on until the next line comes or the input ends, and prints one JSON object.
"""

from __future__ import annotations

import json
import logging
import re
import select
import sys
import time
from pathlib import Path
from typing import Any

from collector import Collector

_STEP_S = 0.02


def main() -> None:
    """Record, stop, tell."""
    logging.disable()
    job: dict[str, Any] = json.loads(sys.stdin.readline())
    collector = Collector()
    collector.configure(
        url=job["url"],
        timeout_s=2.0,
        spool_dir=job["spool_dir"],
        spool_max_bytes=job["spool_max_bytes"],
        max_pending=job["max_pending"],
        retry_cap_s=2.0,
        exit_timeout_s=job["exit_timeout_s"],
        name=job["name"],
        handle_sigterm=False,
    )
    print("ready", flush=True)
    calls, began_s = 0, time.monotonic()
    while not select.select([sys.stdin], [], [], _STEP_S)[0]:
        due = int((time.monotonic() - began_s) * job["per_s"])
        while calls < due:
            collector.record_page_navigation(
                f"chaos-{calls % 5}", url=f"https://chaos.test/{job['name']}/{calls}", navigation_duration_ms=calls
            )
            calls += 1
    collector.close(job["exit_timeout_s"])
    stats = collector.get_metrics_stats()
    print(json.dumps({**stats, "name": job["name"], "calls": calls, "peak_mb": _peak_mb()}), flush=True)


def _peak_mb() -> float:
    """Return this program's highest resident memory; `getrusage` would tell that of who started it."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return round(int(found[1]) / 1024, 1)


if __name__ == "__main__":
    main()
