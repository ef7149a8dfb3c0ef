"""What the editor shows of a rule before it is saved: when it would have fired, and the measure with its threshold."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
from dash import html
from dash.development.base_component import Component

from alerts.measure import Measurer
from alerts.preview import Preview, measured_by_bucket, preview, windows
from alerts.rules import UNITS, Rule
from alerts.units import said
from charts.base import ChartAdapter
from charts.info import FAILED_KEY, Band, Line, LineInfo
from components.alert_cards import subject
from components.numbers import date_time
from db.queries import Queries
from db.results import TimeRange

DAYS: Final = 7
_MOST_NAMED: Final = 5
_CHART_UNITS: Final = ("%", "ms")


def preview_of(queries: Queries, adapter: ChartAdapter, rule: Rule, now_ms: int) -> list[Component]:
    """Show when a rule would have fired in the last days.

    Args:
        queries: Who answers.
        adapter: Who draws.
        rule: The rule, saved or not.
        now_ms: The moment, epoch milliseconds.
    """
    found = preview(queries, rule, now_ms, days=DAYS)
    shown: list[Component] = [html.P(preview_words(found), className="rule-verdict")]
    if found.problem:
        return shown
    keys = Counter(episode.key for episode in found.episodes)
    if keys:
        named = [f"{subject(rule, key)}: {number}" for key, number in keys.most_common(_MOST_NAMED)]
        rest = len(keys) - _MOST_NAMED
        shown.append(html.P(" · ".join([*named, *([f"and {rest} more"] if rest > 0 else [])]), className="entry-says"))
    info = preview_info(queries, rule, found, next(iter(keys.most_common(1)), ("", 0))[0])
    if info is not None:
        drawing = adapter.to_component(adapter.draw(info), id="alerts-rule-chart")
        shown += [html.Div(drawing, className="chart-box"), html.P(info.description, className="visually-hidden")]
    return shown


def preview_words(found: Preview) -> str:
    """Say how often a rule would have fired.

    Args:
        found: What the preview computed.
    """
    if found.problem:
        return f"Nothing can be said of the past: {found.problem}"
    span = said((found.end_ms - found.start_ms) / 1000)
    number = len(found.episodes)
    often = "not have fired" if not number else "have fired once" if number == 1 else f"have fired {number:,} times"
    still = sum(episode.resolved_ms is None for episode in found.episodes)
    now = f"; {still:,} of them would fire now" if still else ""
    return f"It would {often} in the last {span}{now}."


def preview_info(queries: Queries, rule: Rule, found: Preview, key: str) -> LineInfo | None:
    """Draw what a rule measures of one key, with its threshold and the times at which it would have fired.

    Args:
        queries: Who answers.
        rule: The rule.
        found: What the preview computed.
        key: Which one; "" for the first there is.
    """
    if not measured_by_bucket(rule) or found.end_ms <= found.start_ms:
        return None
    span = TimeRange(found.start_ms, found.end_ms, found.step_ms)
    value, threshold = np.full(span.bucket_count, np.nan), np.full(span.bucket_count, np.nan)
    for place, (_, measured) in enumerate(windows(queries, Measurer(queries), rule, span)):
        if not key and measured.keys:
            key = measured.keys[0]
        at = measured.place(key)
        if at is not None:
            threshold[place] = measured.threshold[at]
            if measured.known[at]:
                value[place] = measured.value[at]
    moments = np.arange(span.start_ms, span.end_ms, span.bucket_ms, dtype=np.int64)
    bands = tuple(
        # What would fire only now would do so after the last whole window.
        Band(
            min(one.fired_ms, span.end_ms),
            min(one.resolved_ms or span.end_ms, span.end_ms),
            f"from {date_time(one.fired_ms)}",
        )
        for one in found.episodes
        if one.key == key
    )
    unit = UNITS[rule.what]
    name = subject(rule, key)
    return LineInfo(
        f"{rule.name}: {name}",
        f"What the rule measures of {name}, its threshold, and {len(bands)} times at which it would have fired.",
        moments,
        (Line(name, value), Line("threshold", threshold, colour_key=FAILED_KEY, dash=True)),
        y_title=rule.what.replace("_", " "),
        y_unit=unit if unit in _CHART_UNITS else "",
        x_range_ms=(span.start_ms, span.end_ms),
        bands=bands,
    )
