"""When a rule would have fired, had it been there: computed from history, window after window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np

from alerts.look import Look, NotMeasurable
from alerts.measure import Measurer, allowed
from alerts.measured import Measured, judged
from alerts.parts import SHARES, Parts, kind_of, parts_of_groups
from alerts.rules import Rule
from alerts.states import AlertState, Observation, Timing, step
from alerts.units import said
from db.cells import DAY_MS, HOUR_MS, MINUTE_MS
from db.queries import Queries
from db.results import Filter, FloatArray, IntArray, Series, TimeRange

# Windows that add up to hours, or are made of hours: what history is cut into.
_STEPS_MS: Final = tuple(
    [minutes * MINUTE_MS for minutes in (1, 2, 5, 10, 15, 20, 30)]
    + [hours * HOUR_MS for hours in (1, 2, 3, 4, 6, 8, 12, 24)]
)
_MOST_STEPS: Final = 2_016  # a week of five minutes
_MOST_LOOKS: Final = 300  # where each moment costs a look of its own
_MOST_EPISODES: Final = 1_000
_FINEST_SHARE_MS: Final = 5 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Episode:
    """A time for which an alert would have fired.

    Args:
        key: Of which source, domain, job or label.
        fired_ms: From when, epoch ms.
        resolved_ms: Until when; None when it would fire now.
    """

    key: str
    fired_ms: int
    resolved_ms: int | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What would have been.

    Args:
        start_ms: What was looked at begins here, epoch ms.
        end_ms: And ends here.
        step_ms: The rule was evaluated once in so long, over a window of as long or its own.
        episodes: When it would have fired, in the order in which it began; at most a thousand.
        problem: Why nothing can be said, "" when something can.
    """

    start_ms: int
    end_ms: int
    step_ms: int
    episodes: tuple[Episode, ...]
    problem: str = ""


def preview(queries: Queries, rule: Rule, now_ms: int, *, days: int = 7) -> Preview:
    """Say when a rule would have fired in the last days.

    By source and for the fleet, history is cut into windows of the rule's length, one after the other: of short windows
    only so much is looked at as two thousand of them reach back. By domain, label and job, some hundred moments are
    looked at.

    Args:
        queries: Who is asked.
        rule: The rule; it needn't be stored anywhere.
        now_ms: The moment, epoch ms.
        days: How far back at most.

    Raises:
        DatabaseUnavailable: The database can't be asked.
    """
    measurer = Measurer(queries)
    patience_ms = int(rule.for_s * 1000)
    moments: Iterator[tuple[int, Measured]]
    if measured_by_bucket(rule):
        finest_ms = _FINEST_SHARE_MS if rule.what in SHARES else MINUTE_MS
        step_ms = next((size for size in _STEPS_MS if size >= max(finest_ms, rule.window_s * 1000)), DAY_MS)
        end_ms = now_ms // step_ms * step_ms
        start_ms = end_ms - min(days * DAY_MS // step_ms, _MOST_STEPS) * step_ms
        moments = chain(
            windows(queries, measurer, rule, TimeRange(start_ms, end_ms, step_ms)),
            _now(queries, measurer, rule, now_ms, end_ms),
        )
        # A window that is bad as a whole was bad before its end already, while it slid there.
        patience_ms = 0 if rule.for_s * 1000 < step_ms else patience_ms
    else:
        step_ms = max(MINUTE_MS, days * DAY_MS // _MOST_LOOKS)
        end_ms = now_ms
        start_ms = end_ms - _MOST_LOOKS * step_ms
        if rule.by == "domain" or rule.label_key is not None or rule.only:
            # Memory ends somewhere; what it holds is looked at more closely.
            covered_ms = queries.alert_rows(now_ms, now_ms)[1]
            if covered_ms is not None and rule.by != "job":
                window_ms = int(rule.window_s * 1000)
                if covered_ms + window_ms > end_ms - MINUTE_MS:
                    held = said(max(0, end_ms - covered_ms) / 1000)
                    problem = f"it is looked at what memory holds by domain and label, now {held}: less than the window"
                    return Preview(end_ms, end_ms, step_ms, (), f"{problem}. The rule itself reads the database")
                start_ms = max(start_ms, covered_ms + window_ms)
                step_ms = max(MINUTE_MS, (end_ms - start_ms) // _MOST_LOOKS)
        moments = _looks(queries, measurer, rule, start_ms, end_ms, step_ms)
    try:
        return Preview(start_ms, end_ms, step_ms, _episodes(rule, moments, patience_ms))
    except NotMeasurable as exc:
        return Preview(start_ms, end_ms, step_ms, (), str(exc))


def _now(queries: Queries, measurer: Measurer, rule: Rule, now_ms: int, end_ms: int) -> Iterator[tuple[int, Measured]]:
    """Measure the window up to now, which began within the last one: what fires now isn't left out."""
    if now_ms > end_ms:
        yield now_ms, measurer.measure(rule, Look(queries, now_ms))


def _looks(
    queries: Queries, measurer: Measurer, rule: Rule, start_ms: int, end_ms: int, step_ms: int
) -> Iterator[tuple[int, Measured]]:
    for now_ms in range(start_ms + step_ms, end_ms + 1, step_ms):
        yield now_ms, measurer.measure(rule, Look(queries, now_ms))


def measured_by_bucket(rule: Rule) -> bool:
    """Say whether history can be cut into buckets of which each says what a rule measures (`windows`).

    Args:
        rule: The rule.
    """
    in_history = rule.by in ("source", "fleet") and rule.what != "no_data"
    return in_history and all(text.startswith("source") for text in rule.only)


def windows(queries: Queries, measurer: Measurer, rule: Rule, span: TimeRange) -> Iterator[tuple[int, Measured]]:
    """Measure a rule in every bucket of a span.

    Args:
        queries: Who is asked.
        measurer: Knows what is usual.
        rule: A rule that is `measured_by_bucket`.
        span: The buckets.

    Returns:
        (where a bucket ends in epoch ms, what was measured in it), one for each.
    """
    kind, names = kind_of(rule), queries.alert_sources().all()
    chosen = allowed(rule.only, names)
    keys = tuple(name for name, taken in zip(names, chosen.tolist(), strict=True) if taken)
    if rule.what in SHARES:
        values = _shares(queries, rule, span, chosen)
    else:
        filter = Filter(keys, kind=kind or "all") if rule.only else Filter(kind=kind or "all")
        if rule.by == "fleet":
            series: Mapping[str, Series] = {"": queries.overview(span, filter).series}
        else:
            series = queries.source_series(span, filter)
        values = _of_series(rule, series, ("",) if rule.by == "fleet" else keys, span)
    if rule.by == "fleet":
        keys = ("",)
    for now_ms, (value, samples) in zip(
        range(span.start_ms + span.bucket_ms, span.end_ms + 1, span.bucket_ms), values, strict=True
    ):
        usual = None
        if rule.baseline is not None:
            # As wide a window as was measured, for what adds up.
            like = rule.model_copy(update={"window_s": span.bucket_ms / 1000})
            if rule.by == "fleet":
                usual = measurer.baselines.usual_together(like, rule.baseline, now_ms, kind, chosen)
            else:
                usual = measurer.baselines.usual(like, rule.baseline, now_ms, kind, len(names))[chosen]
        yield now_ms, judged(rule, keys, value, samples, usual)


def _of_series(
    rule: Rule, series: Mapping[str, Series], keys: tuple[str, ...], span: TimeRange
) -> Iterator[tuple[FloatArray, IntArray]]:
    size = (len(keys), span.bucket_count)
    value, samples = np.full(size, np.nan), np.zeros(size, dtype=np.int64)
    for place, key in enumerate(keys):
        one = series.get(key)
        if one is None:
            continue
        count = one.navigations + one.scrapes
        samples[place] = count
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Mapping[str, FloatArray | IntArray] = {
                "success_rate": 100.0 * one.successes / count, "error_count": one.errors, "mean_ms": one.mean_ms,
                "p95_ms": one.p95_ms, "p99_ms": one.p99_ms, "items": one.items, "yield": one.items / count,
                "throughput": count * MINUTE_MS / span.bucket_ms,
            }  # fmt: skip
        value[place] = np.where(count > 0, found[rule.what], np.nan)
    for bucket in range(span.bucket_count):
        yield value[:, bucket], samples[:, bucket]


def _shares(
    queries: Queries, rule: Rule, span: TimeRange, chosen: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> Iterator[tuple[FloatArray, IntArray]]:
    for groups in queries.alert_groups_over_time(SHARES[rule.what], span, kind_of(rule)):
        parts = parts_of_groups(rule.what, groups, len(queries.alert_sources()), rule.field).first(len(chosen))
        one_by_one = Parts(parts.numerator[chosen], parts.samples[chosen])
        parts = parts.together(chosen) if rule.by == "fleet" else one_by_one
        yield parts.values(rule.what, span.bucket_ms / 1000), parts.samples


def _episodes(rule: Rule, moments: Iterator[tuple[int, Measured]], for_ms: int) -> tuple[Episode, ...]:
    timing = Timing(for_ms, int(rule.keep_firing_for_s * 1000), rule.no_data)
    states: dict[str, AlertState] = {}
    began: list[tuple[int, str, list[int]]] = []
    fires: dict[str, list[int]] = {}
    for now_ms, measured in moments:
        wanted = measured.bad if rule.no_data == "ok" else measured.bad | ~measured.known
        keys = {measured.keys[place] for place in np.flatnonzero(wanted).tolist()} | states.keys()
        for key in sorted(keys):
            place = measured.place(key)
            seen = Observation("no_data") if place is None else measured.at(place)
            state, change = step(states.get(key, AlertState()), seen, now_ms, timing)
            if state.forgettable:
                states.pop(key, None)
            else:
                states[key] = state
            if change is not None and change.event == "firing":
                fires[key] = []
                began.append((now_ms, key, fires[key]))
            elif change is not None and change.event == "resolved":
                fires[key].append(now_ms)
    return tuple(Episode(key, at_ms, end[0] if end else None) for at_ms, key, end in began[:_MOST_EPISODES])
