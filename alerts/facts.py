"""What the failures of each source have in common, as far as memory knows: domain, kind of error, labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from alerts.label_texts import labels_of
from alerts.look import Look
from alerts.rules import Rule
from db.cells import HOUR_MS
from db.columns import BoolArray, DetailColumns
from db.error_kinds import kind_of_error
from db.rows import domain_of

_MOST_KEYS: Final = 500  # with more alerts at once nobody asks what each of them failed of
_MOST_ROWS: Final = 200  # of each alert, the newest
_SHARE: Final = 0.7  # so much of them have it in common
_OF_FAILURES: Final = frozenset({"success_rate", "usable_success_rate", "error_count", "green_but_empty"})


def facts_of(rule: Rule, keys: Sequence[str], look: Look) -> dict[str, Mapping[str, str]]:
    """Return what most failures of each alert have in common; of rules about something else, most rows.

    Args:
        rule: Whose alerts.
        keys: Which of them.
        look: The moment.

    Returns:
        For each key `domain`, `error` and `label:<key>` with their values, those that there are.
    """
    if rule.by == "domain":
        return {key: {"domain": key} for key in keys}
    if rule.label_key is not None:
        return {key: {rule.by: key} for key in keys}
    if rule.by != "source" or rule.what == "no_data" or len(keys) > _MOST_KEYS:
        return {key: {} for key in keys}
    window_ms = min(int(rule.window_s * 1000), HOUR_MS)
    rows, _ = look.queries.alert_rows(look.now_ms - window_ms, look.now_ms + 1)
    codes = {code: key for key in keys if (code := look.sources.known(key)) is not None}
    wanted = np.isin(rows.source, list(codes))
    if rule.what in _OF_FAILURES:
        wanted &= _failed(rule, rows)
    places = np.flatnonzero(wanted)
    order = places[np.argsort(rows.source[places], kind="stable")]
    source = rows.source[order]
    found: dict[str, Mapping[str, str]] = {key: {} for key in keys}
    for code, key in codes.items():
        low, high = np.searchsorted(source, (code, code + 1))
        found[key] = _common(rows, order[max(low, high - _MOST_ROWS) : high])
    return found


def _failed(rule: Rule, rows: DetailColumns) -> BoolArray:
    if rule.what == "green_but_empty":
        empty: BoolArray = rows.scrape & rows.success & (rows.items == 0)
        return empty
    if rule.what == "usable_success_rate":
        ok = rows.outcome_names.known("ok")
        usable: BoolArray = rows.success & ((rows.outcome < 0) | (rows.outcome == (-2 if ok is None else ok)))
        return rows.scrape & ~usable
    return ~rows.success


def _common(rows: DetailColumns, places: npt.NDArray[Any]) -> Mapping[str, str]:
    """Return what most of some rows have in common."""
    facts: dict[str, str] = {}
    if not len(places):
        return facts

    def most(name: str, texts: Sequence[Any], read: Callable[[Any], str | None]) -> None:
        values: dict[str, int] = {}
        for text in texts:
            value = read(text)
            if value:
                values[value] = values.get(value, 0) + 1
        best = max(values, key=lambda value: (values[value], value), default=None)
        if best is not None and values[best] >= _SHARE * len(texts):
            facts[name] = best

    most("domain", rows.url[places].tolist(), domain_of)
    failed = places[~rows.success[places]]
    if len(failed):
        most("error", rows.error[failed].tolist(), lambda error: kind_of_error(error) if error else None)
    else:
        outcomes = [rows.outcome_names[code] if code >= 0 else None for code in rows.outcome[places].tolist()]
        most("outcome", outcomes, lambda outcome: outcome)
    labels = [labels_of(text) for text in rows.labels[places].tolist()]
    for key in sorted({key for some in labels for key in some}):
        most(f"label:{key}", [some.get(key) for some in labels], lambda value: value)
    return facts
