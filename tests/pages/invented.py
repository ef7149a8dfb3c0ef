"""A fleet that was invented: sources with a pace, a speed and failures of their own, and jobs; the same each time."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from db.results import Event, SchedulerRunRow
from tests.pages.memory_queries import NOW_MS, MemoryQueries
from tests.pages.memory_runs import told_of


def fleet(sources: Sequence[str], *, seed: int = 1, hours: float = 2.0, now_ms: int = NOW_MS) -> MemoryQueries:
    """Invent a fleet: each source with a pace, a speed and a failure rate of its own, and three scheduler jobs."""
    dice = random.Random(seed)
    events: list[Event] = []
    for source in sources:
        pace_s, speed_ms, failing = (
            dice.uniform(3, 20),
            dice.uniform(120, 900),
            dice.choice([0, 0.01, 0.02, 0.05, 0.25]),
        )
        moment_ms = now_ms - hours * 3_600_000 + dice.uniform(0, 20_000)
        while moment_ms < now_ms:
            events += _page(dice, source, int(moment_ms), speed_ms, failing, len(events))
            moment_ms += 1000 * pace_s * dice.expovariate(1)
    made = MemoryQueries([event for event in events if event.recorded_at_ms <= now_ms], _runs(dice, hours, now_ms))
    made.fields = {
        event.id: {"title": event.items or 0, "price": (event.items or 0) // 2}
        for event in events
        if event.kind == "scrape"
    }
    made.told = told_of(sources[:5], now_ms)
    return made


def _page(dice: random.Random, source: str, moment_ms: int, speed_ms: float, failing: float, n: int) -> list[Event]:
    url = f"https://www.{source.lower()[:20]}.example.com/stocks/{dice.choice('ABCDEFGH')}{dice.randrange(40)}/quote?tab=summary"
    failed = dice.random() < failing
    outcome = dice.choice(["empty", "blocked", "parse error"]) if dice.random() < failing else "ok"
    error = dice.choice(
        ["TimeoutError: page did not load within 30000 ms", "HTTP 503 Service Unavailable", "net::ERR_CONNECTION_RESET"]
    )
    navigation = Event(
        id=f"p:{n}",
        kind="navigation",
        source=source,
        url=url,
        duration_ms=round(dice.lognormvariate(math.log(speed_ms), 0.5), 1),
        items=None,
        retry_count=1 if dice.random() < failing / 2 else 0,
        success=not failed,
        error=error if failed else None,
        status_code=503 if failed and "503" in error else None if failed else 200,
        outcome=None,
        recorded_at_ms=moment_ms,
    )
    scrape = Event(
        id=f"p:{n + 1}",
        kind="scrape",
        source=source,
        url=url,
        duration_ms=round(dice.lognormvariate(math.log(speed_ms / 6), 0.6), 1),
        items=dice.randrange(1, 40) if outcome == "ok" else 0,
        retry_count=None,
        success=outcome == "ok",
        error=None if outcome == "ok" else f"{outcome}: no table.quotes on the page",
        status_code=None,
        outcome=outcome,
        recorded_at_ms=moment_ms + 400,
    )
    return [navigation] if failed else [navigation, scrape]


def _runs(dice: random.Random, hours: float, now_ms: int) -> list[SchedulerRunRow]:
    runs = []
    for name, every_min, source in (("hourly-quotes", 5, "robinhood"), ("news-crawl", 3, None), ("cleanup", 15, None)):
        for step in range(int(hours * 60 / every_min)):
            failed = dice.random() < 0.08
            runs.append(
                SchedulerRunRow(
                    id=f"s:{len(runs)}",
                    scheduler_name=name,
                    source=source,
                    duration_ms=round(dice.lognormvariate(math.log(20_000), 0.5)),
                    items=dice.randrange(0, 400),
                    success=not failed,
                    error="RuntimeError: 3 of 12 pages failed" if failed else None,
                    recorded_at_ms=now_ms - step * every_min * 60_000 - dice.randrange(20_000),
                    run_id=None,
                )
            )
    return runs
