"""Where an alert leads: the page that shows what it is about, narrowed to it, over a time that covers it."""

from __future__ import annotations

from typing import Final

from alerts.board import Shown
from alerts.rules import RUN_WHATS, SCRAPE_WHATS
from components.timerange import DAY_MS, HOUR_MS
from components.view import View, source_path

_SPANS: Final = ((HOUR_MS, "now-1h"), (6 * HOUR_MS, "now-6h"), (DAY_MS, "now-24h"), (7 * DAY_MS, "now-7d"))
_LONGEST: Final = "now-30d"


def alert_href(shown: Shown, now_ms: int) -> str:
    """Return the link to what an alert is about.

    Args:
        shown: The alert.
        now_ms: The moment, epoch ms.
    """
    rule, key = shown.rule, shown.alert.key
    needed_ms = now_ms - shown.since_ms + int(min(rule.window_s, 86_400.0) * 1000)
    from_ = next((text for span_ms, text in _SPANS if needed_ms <= span_ms), _LONGEST)
    path = "/scraping" if rule.what in SCRAPE_WHATS or rule.kind == "scrape" else "/navigation"
    if rule.what in RUN_WHATS or rule.by == "job":
        return View(path="/scheduler", from_=from_).href()
    if rule.by == "source":
        if rule.what == "no_data":
            return View(path=source_path(key), from_=from_).href()
        return View(path=path, from_=from_, sources=(key,)).href()
    if rule.by == "domain":
        return View(path=path, from_=from_, q=key).href()
    if rule.label_key is not None:
        return View(path=path, from_=from_, labels=(f"{rule.label_key}={key}",)).href()
    return View(from_=from_).href()
