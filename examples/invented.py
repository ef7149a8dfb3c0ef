"""An invented fleet's last two days, always the same for the same seed: pictures must not differ from run to run."""

import random
from typing import Any

FAMOUS = ("robinhood", "cnbc", "bloomberg", "reuters", "nasdaq", "marketwatch")
HOURS = 48  # a day, and the day before to compare it with
_ERRORS = (
    ("TimeoutError: page did not load within 30000 ms", None, "network"),
    ("HTTP 503 Service Unavailable", 503, "network"),
    ("HTTP 429 Too Many Requests", 429, "blocked"),
    ("parse error: no table.quotes on the page", 200, "parse_error"),
)
_JOBS = (("hourly-quotes", 60, 90_000), ("news-crawl", 20, 25_000), ("cleanup", 240, 4_000))


def names(count: int) -> list[str]:
    """Return the names of a fleet of `count` scrapers."""
    return [*FAMOUS, *(f"exchange-{number:02}" for number in range(1, 1 + max(0, count - len(FAMOUS))))][:count]


def metrics(sources: int, *, now_ms: int, seed: int = 7, pages: int = 6_000) -> list[dict[str, Any]]:
    """Invent two days of a fleet, in the form that `/api/ingest` takes.

    Args:
        sources: how many scrapers.
        now_ms: when they end, epoch milliseconds.
        seed: another seed is another fleet.
        pages: about how many pages all of them visit together.
    """
    dice = random.Random(seed)
    start_ms = now_ms - HOURS * 3_600_000
    found: list[dict[str, Any]] = []
    for place, source in enumerate(names(sources)):
        speed_ms, trouble = dice.uniform(180, 1_400), dice.choice((0.005, 0.01, 0.02, 0.06))
        if place in (2, 7):
            trouble = 0.35  # somebody has to have a bad day
        share = 2.0 / (place + 2) if sources <= len(FAMOUS) else 1.0
        for _ in range(round(pages * share / sources)):
            at_ms = round(start_ms + dice.random() ** 0.9 * (now_ms - start_ms - 90_000))
            found += _page(dice, source, at_ms, speed_ms, trouble)
    for name, every_min, length_ms in _JOBS:
        for at_ms in range(start_ms + 600_000, now_ms, every_min * 60_000):
            failed = dice.random() < 0.06
            found.append(
                {
                    "type": "scheduler",
                    "schedulerName": name,
                    "executionDurationMs": round(dice.lognormvariate(0, 0.4) * length_ms),
                    "itemsProcessed": dice.randrange(50, 900),
                    "success": not failed,
                    "error": "RuntimeError: 3 of 12 pages failed" if failed else None,
                    "recordedAt": at_ms,
                }
            )
    return found


def _page(dice: random.Random, source: str, at_ms: int, speed_ms: float, trouble: float) -> list[dict[str, Any]]:
    url = f"https://www.{source}.example/{dice.choice(('quotes', 'news', 'charts'))}/{dice.randrange(40)}"
    error, status, outcome = dice.choice(_ERRORS) if dice.random() < trouble else (None, 200, "ok")
    lost = error is not None and outcome != "parse_error"
    common = {"scraperSource": source, "url": url, "labels": {"proxy": dice.choice(("eu", "us"))}}
    navigation = {
        **common,
        "type": "page_navigation",
        "navigationDurationMs": round(dice.lognormvariate(0, 0.5) * speed_ms, 1),
        "retryCount": dice.choice((1, 2)) if dice.random() < 0.08 else 0,
        "success": not lost,
        "error": error if lost else None,
        "statusCode": status,
        "recordedAt": at_ms,
    }
    scrape = {
        **common,
        "type": "page_scrape",
        "scrapeDurationMs": round(dice.lognormvariate(0, 0.6) * speed_ms / 8, 1),
        "itemsExtracted": 0 if error else dice.randrange(5, 60),
        "dataSize": dice.randrange(8_000, 240_000),
        "success": error is None,
        "error": error,
        "outcome": outcome,
        "recordedAt": at_ms + 500,
    }
    return [navigation] if lost and outcome == "network" else [navigation, scrape]
