"""What waits in a collector, on the disk and at an app: recorded by number, counted, waited for."""

import time
from collections.abc import Callable
from pathlib import Path

from collector import Collector
from collector.segment import SUFFIX
from tests.collector.doubles import WAIT_S, App, MemorySink


def record(collector: Collector, count: int = 1, first: int = 0) -> None:
    for number in range(first, first + count):
        collector.record_page_navigation("cnbc", url=f"https://host/{number}", navigation_duration_ms=number)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + 2 * WAIT_S
    while not condition():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.005)


def numbers(app: App) -> list[int]:
    return [int(metric["url"].rpartition("/")[2]) for metric in app.metrics()]


def spooled(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob(f"*{SUFFIX}"))


class Keyed(MemorySink):
    """A sink whose target has a name, so that there is a spool for it."""

    spool_key = "memory"


def adds_up(collector: Collector) -> bool:
    stats = collector.get_metrics_stats()
    known = stats["flushed"] + stats["dropped"] + stats["pending"] + stats["left_on_disk"]
    return stats["recorded"] + stats["adopted"] == known
