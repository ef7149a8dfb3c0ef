"""Measure rules: many rules share one look at the metrics, and each is a few steps over arrays of sources."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache

from alerts.baselines import Baselines
from alerts.jobs import measure_jobs
from alerts.look import MOST_GROUPS, Look
from alerts.matchers import matcher
from alerts.measured import Measured, judged
from alerts.parts import QUANTILES, SHARES, kind_of, parts_of_fields, parts_of_rows, parts_of_sums
from alerts.past import Past
from alerts.pieces import name_of, need_of, values_of
from alerts.rules import Rule
from db.alert_queries import AlertQueries
from db.alert_sums import sums_by
from db.cells import DAY_MS
from db.columns import BoolArray, Names
from db.results import FloatArray

_MAX_REMEMBERED: Final = 4_000
_ACTIVE_MS: Final = DAY_MS  # who said something within a day is asked for when it says nothing


class Measurer:
    """Measures rules, and remembers what doesn't change from look to look; used by one thread.

    Args:
        queries: Who is asked.
        past: Reads what memory doesn't hold; None to refuse such windows.
    """

    def __init__(self, queries: AlertQueries, past: Past | None = None) -> None:
        self._queries = queries
        self._past = past
        self.baselines = Baselines(queries)
        # Which sources a rule's matchers let through, for as many sources as there were: (numbers, names).
        self._chosen: LRUCache[Hashable, tuple[npt.NDArray[np.int64], tuple[str, ...]]]
        self._chosen = LRUCache(_MAX_REMEMBERED)

    def measure(self, rule: Rule, look: Look) -> Measured:
        """Measure one rule.

        Args:
            rule: Any rule.
            look: The moment.

        Raises:
            alerts.look.NotMeasurable: What it asks for isn't there.
        """
        if rule.by == "job":
            return measure_jobs(rule, look)
        if rule.what == "no_data":
            return self._silence(rule, look)
        if rule.by in ("source", "fleet") and all(matcher(text).name == "source" for text in rule.only):
            return self._of_sources(rule, look) if rule.by == "source" else self._of_fleet(rule, look)
        return self._of_rows(rule, look)

    def _of_sources(self, rule: Rule, look: Look) -> Measured:
        kind, window_ms = kind_of(rule), int(rule.window_s * 1000)
        value, samples = look.values(rule.what, window_ms, kind, rule.field)
        usual = None
        if rule.baseline is not None:
            usual = self.baselines.usual(rule, rule.baseline, look.now_ms, kind, len(value))
        chosen, names = self._sources(rule, look, len(value))
        if rule.only:
            value, samples = value[chosen], samples[chosen]
            usual = None if usual is None else usual[chosen]
        found = judged(rule, names, value, samples, usual)
        if rule.no_data != "ok" and not found.known.all():
            # Only who was there of late is missed.
            there = look.sums(max(_ACTIVE_MS, window_ms), kind).count[chosen] > 0
            if not there.all():
                return _picked(found, np.flatnonzero(there))
        return found

    def _of_fleet(self, rule: Rule, look: Look) -> Measured:
        kind, window_ms = kind_of(rule), int(rule.window_s * 1000)
        sums = look.sums(window_ms, kind)
        chosen, _ = self._sources(rule, look, len(sums))
        mask = np.zeros(len(sums), dtype=np.bool_)
        mask[chosen] = True
        value: FloatArray
        samples: npt.NDArray[Any]
        if rule.what in QUANTILES:
            total = sums.together(mask)
            value, samples = total.quantile_ms(QUANTILES[rule.what]), total.count
        else:
            parts = look.parts(rule.what, window_ms, kind, rule.field).together(mask)
            value, samples = parts.values(rule.what, rule.window_s), parts.samples
        usual = None
        if rule.baseline is not None:
            usual = self.baselines.usual_together(rule, rule.baseline, look.now_ms, kind, mask)
        return judged(rule, ("",), value, samples, usual)

    def _of_rows(self, rule: Rule, look: Look) -> Measured:
        """Measure by what only detail rows know: domains and labels."""
        kind, window_ms = kind_of(rule), int(rule.window_s * 1000)
        if self._past is not None and not look.holds(window_ms):
            return self._of_past(self._past, rule, look)
        rows = look.rows(window_ms)
        group, names = self._grouped(rule, look, window_ms)
        for text in rule.only:
            name = matcher(text).name
            if any(matcher(other).name == name for other in rule.only[: rule.only.index(text)]):
                continue  # all matchers of a name were applied together
            group = np.where(self._let_through(rule, name, look, window_ms), group, -1)
        if kind is not None:
            group = np.where(rows.scrape == (kind == "scrape"), group, -1)
        value: FloatArray
        samples: npt.NDArray[Any]
        if rule.what == "field_coverage":
            parts = parts_of_fields(look.fields(window_ms), rule.field, group, len(names))
            value, samples = parts.values(rule.what, rule.window_s), parts.samples
        elif rule.what in SHARES:
            parts = parts_of_rows(rule.what, rows, group, len(names))
            value, samples = parts.values(rule.what, rule.window_s), parts.samples
        else:
            sums = sums_by(rows, group, len(names))
            if rule.what in QUANTILES:
                value, samples = sums.quantile_ms(QUANTILES[rule.what]), sums.count
            else:
                parts = parts_of_sums(rule.what, sums)
                value, samples = parts.values(rule.what, rule.window_s), parts.samples
        return judged(rule, names, value, samples)

    def _of_past(self, past: Past, rule: Rule, look: Look) -> Measured:
        """Measure the same over more than memory holds, from pieces that were added up."""
        need = need_of(rule)
        piece, numbers = past.window(need, int(rule.window_s * 1000), look)
        group = np.zeros(len(piece), dtype=np.int64)
        names: tuple[str, ...] = ("",)
        if rule.by != "fleet":
            place = need.names.index(rule.by)
            group, names = _numbered(piece.codes[place], piece.counted["count"], numbers.values[place])
        for place, name in enumerate(need.names):
            only = tuple(text for text in rule.only if name_of(matcher(text).name) == name)
            if only:
                taken: BoolArray = np.append(allowed(only, numbers.values[place].all()), allowed(only, [""]))
                group = np.where(taken[piece.codes[place]], group, -1)
        kind = kind_of(rule)
        if kind is not None:
            group = np.where(piece.scrape == (kind == "scrape"), group, -1)
        return judged(rule, names, *values_of(rule, piece, group, len(names), numbers))

    def _silence(self, rule: Rule, look: Look) -> Measured:
        """Measure for how long each source has been silent; bad is what also isn't usual, if the rule says so."""
        kind = kind_of(rule)
        last_ms = look.sums(int(rule.window_s * 1000), kind).last_ms
        chosen, names = self._sources(rule, look, len(last_ms))
        last_ms = last_ms[chosen]
        if rule.by == "fleet":
            last_ms, names = np.array([last_ms.max(initial=-1)], dtype=np.int64), ("",)
        known = last_ms >= 0
        heard_ms = np.maximum(last_ms, look.listening_since_ms).astype(np.float64)
        silent_s = np.maximum(0.0, (look.now_ms - heard_ms) / 1000)
        threshold = rule.threshold or 0.0
        bad, fine = known & (silent_s > threshold), known & (silent_s <= threshold)
        samples = known.astype(np.int64)
        if rule.baseline is not None and bad.any():
            due = np.zeros(len(silent_s))
            if rule.by == "fleet":
                every = np.full(len(look.names), heard_ms[0])
                due[:] = self.baselines.expected(rule.baseline, kind, every, look.now_ms)[chosen].sum()
            else:
                heard = np.full(int(chosen.max()) + 1, float(look.now_ms))
                heard[chosen[bad]] = heard_ms[bad]
                due = self.baselines.expected(rule.baseline, kind, heard, look.now_ms)[chosen]
            samples = np.where(bad, due, samples).astype(np.int64)
            bad &= due >= rule.min_samples
        return Measured(names, silent_s, np.full(len(silent_s), threshold), samples, bad, fine, known)

    def _sources(self, rule: Rule, look: Look, size: int) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
        """Return which sources a rule is about: (their numbers, their names)."""
        only = tuple(text for text in rule.only if matcher(text).name == "source")
        key = (only, size)
        known = self._chosen.get(key)
        if known is None:
            names = look.names[:size]
            numbers = np.flatnonzero(allowed(only, names))
            known = self._chosen[key] = (numbers, tuple(names[number] for number in numbers.tolist()))
        return known

    def _grouped(self, rule: Rule, look: Look, window_ms: int) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
        if rule.by == "domain":
            return look.domains(window_ms)
        if rule.label_key is not None:
            return look.labels(window_ms, rule.label_key)
        rows = look.rows(window_ms)
        if rule.by == "fleet":
            return np.zeros(len(rows), dtype=np.int64), ("",)
        return rows.source.astype(np.int64), look.sources.all()

    def _let_through(self, rule: Rule, name: str, look: Look, window_ms: int) -> BoolArray:
        """Say which rows fulfil a rule's matchers of one name."""
        only = tuple(text for text in rule.only if matcher(text).name == name)
        if name == "source":
            codes, names = look.rows(window_ms).source.astype(np.int64), look.sources.all()
        elif name == "domain":
            codes, names = look.domains(window_ms)
        else:
            codes, names = look.labels(window_ms, name)
        # The last place is for rows that have none.
        taken: BoolArray = np.append(allowed(only, names), allowed(only, [""]))
        return taken[codes]


def allowed(only: Sequence[str], names: Sequence[str]) -> BoolArray:
    """Say which names fulfil matchers that all are about them, bool[n].

    Args:
        only: The matchers.
        names: The names, n of them.
    """
    matchers = [matcher(text) for text in only]
    wanted = [one.takes for one in matchers if not one.negated]
    forbidden = [one.takes for one in matchers if one.negated]

    def takes(name: str, tests: Sequence[Callable[[str], bool]]) -> bool:
        return any(test(name) for test in tests)

    return np.array(
        [(not wanted or takes(name, wanted)) and all(test(name) for test in forbidden) for name in names],
        dtype=np.bool_,
    )


def _numbered(codes: npt.NDArray[Any], counts: FloatArray, numbers: Names) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Number the values that occur, the most frequent of too many: (each group's number, -1 without one; names)."""
    total = np.bincount(codes[codes >= 0], weights=counts[codes >= 0], minlength=len(numbers))
    there = np.flatnonzero(total)
    if len(there) > MOST_GROUPS:
        there = np.sort(np.argsort(-total, kind="stable")[:MOST_GROUPS])
    renumbered = np.full(len(numbers) + 1, -1, dtype=np.int64)
    renumbered[there] = np.arange(len(there))
    every = numbers.all()
    return renumbered[codes], tuple(every[code] for code in there.tolist())


def _picked(found: Measured, places: npt.NDArray[Any]) -> Measured:
    return Measured(
        tuple(found.keys[place] for place in places.tolist()),
        *(getattr(found, name)[places] for name in ("value", "threshold", "samples", "bad", "fine", "known")),
    )
