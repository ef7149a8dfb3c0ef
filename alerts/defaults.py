"""The rules that are on from the start: few, and quiet unless something is really wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from alerts.errors import BadSetting
from alerts.rules import Rule, rule_of
from db.alert_rows import SettingRow

_DOCUMENTS: Final[tuple[Mapping[str, Any], ...]] = (
    {
        "id": "everything-fails",
        "name": "Everything fails",
        "description": "Hardly a page works: the site may block the scraper, be down, or have changed.",
        "what": "success_rate",
        "window": "5m",
        "threshold": 10,
        "recover": 50,
        "for": "1m",
        "keep_firing_for": "2m",
        "min_samples": 10,
        "severity": "critical",
    },
    {
        "id": "low-success",
        "name": "Low success rate",
        "description": "More pages fail than usual; see which errors on the Navigation tab.",
        "what": "success_rate",
        "window": "15m",
        "threshold": 80,
        "recover": 90,
        "unless": ["everything-fails"],
        "for": "3m",
        "keep_firing_for": "5m",
        "min_samples": 20,
    },
    {
        "id": "blocked",
        "name": "Pages without content",
        "description": "What scrapes bring is a challenge page, a block or nothing, whatever the HTTP status says.",
        "what": "usable_success_rate",
        "window": "15m",
        "threshold": 50,
        "recover": 70,
        "unless": ["everything-fails"],
        "for": "2m",
        "keep_firing_for": "5m",
        "min_samples": 10,
    },
    {
        "id": "green-but-empty",
        "name": "Green but empty",
        "description": "Scrapes succeed without a single item, which isn't usual here: look at the selectors.",
        "what": "green_but_empty",
        "window": "30m",
        "threshold": 90,
        "recover": 50,
        "unless": ["blocked"],
        "baseline": {"days": 7, "tolerance_percent": 50},
        "for": "2m",
        "keep_firing_for": "5m",
        "min_samples": 10,
    },
    {
        "id": "yield-dropped",
        "name": "Fewer items than usual",
        "description": "A scrape brings less than half of the usual number of items.",
        "what": "yield",
        "window": "1h",
        "baseline": {"days": 7, "tolerance_percent": 50, "recover_percent": 30},
        "for": "10m",
        "keep_firing_for": "15m",
        "min_samples": 30,
        "unless": ["everything-fails", "blocked", "green-but-empty"],
    },
    {
        "id": "slow",
        "name": "Slower than usual",
        "description": "One page in twenty takes more than twice as long as usual, and more than five seconds.",
        "what": "p95_ms",
        "window": "15m",
        "threshold": 5_000,
        "baseline": {"days": 7, "tolerance_percent": 100, "recover_percent": 50},
        "for": "10m",
        "keep_firing_for": "15m",
        "min_samples": 50,
        "unless": ["everything-fails"],
        "severity": "info",
    },
    {
        "id": "silent",
        "name": "Silent",
        "description": "A scraper says nothing at an hour at which it usually does: does it run?",
        "what": "no_data",
        "window": "7d",
        "threshold": 900,
        "baseline": {"days": 7},
        "min_samples": 10,
    },
    {
        "id": "job-failed",
        "name": "Job failed",
        "description": "The last run of a scheduler job failed.",
        "what": "run_failed",
        "by": "job",
        "window": "7d",
        "threshold": 0,
    },
    {
        "id": "job-missed",
        "name": "Job missed",
        "description": "A scheduler job didn't run when it should have, and not since.",
        "what": "run_missed",
        "by": "job",
        "window": "7d",
        "threshold": 0,
    },
    {
        "id": "run-lost",
        "name": "Run lost",
        "description": "A run gave no sign of life any more and never said how it ended: was it killed?",
        "what": "run_lost",
        "by": "job",
        "window": "6h",
        "threshold": 0,
        "keep_firing_for": "10m",
    },
)

DEFAULT_RULES: Final[tuple[Rule, ...]] = tuple(rule_of(document) for document in _DOCUMENTS)


def effective(rows: Iterable[SettingRow]) -> tuple[tuple[Rule, ...], tuple[BadSetting, ...]]:
    """Return every rule there is: those of the table, and the default rules that aren't changed there.

    Args:
        rows: The table of rules.

    Returns:
        (rules by id, what is wrong with those that can't be read: written by another version, or by hand).
    """
    found = {rule.id: rule for rule in DEFAULT_RULES}
    problems: list[BadSetting] = []
    for row in rows:
        try:
            found[row.id] = rule_of({**row.document, "id": row.id})
        except BadSetting as exc:
            problems.append(exc)
    return tuple(found[id] for id in sorted(found)), tuple(problems)
