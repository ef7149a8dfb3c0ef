"""A world with a clock of its own: recorded histories are replayed into the real store, and rules are evaluated."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from alerts.defaults import DEFAULT_RULES
from alerts.measure import Measurer
from alerts.notices import Notice, notice_of
from alerts.rules import Rule
from alerts.service import AlertService
from alerts.silences import Acknowledgement, Silence
from collector.events import Metric
from collector.run_events import ScraperRun
from db.alert_outbox import Outbox
from db.alert_settings import AlertSettings
from db.alert_store import AlertStore
from db.alert_tables import AlertTables
from db.engine import make_engine
from db.lost_runs import LostRuns
from db.migrate import upgrade
from db.queries import Queries
from db.recent import RecentDetail
from db.store import Store
from tests.db.samples import batch, navigation, scrape

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
# What happens at a moment: the metrics that are recorded then, and what is told of runs.
Script = Callable[[int], Iterable[Metric | ScraperRun]]


class Told(NamedTuple):
    """A notification in the few words that a test compares."""

    at: str  # HH:MM (UTC), of the day before or after with a sign
    what: str
    rule: str
    firing: tuple[str, ...]
    resolved: tuple[str, ...] = ()


def moment(text: str) -> int:
    """Return epoch ms of `2024-05-01 12:00` (UTC)."""
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp() * 1000)


class World:
    """A database, a store and the alert service, all on one clock that only `run` moves."""

    def __init__(self, folder: Path, now: str) -> None:
        self.engine = make_engine(url=f"sqlite:///{folder / 'world.db'}")
        upgrade(self.engine)
        self.now_ms = moment(now)
        self.day_ms = self.now_ms // DAY_MS * DAY_MS
        self._passed_ms = 1_000_000  # of the clock that nobody sets
        self.store = Store(self.engine, clock_ms=self._clock)
        self.recent = RecentDetail()
        self.queries = Queries(self.engine, self.recent, clock_ms=self._clock)
        self.store.subscribe(self.recent.append)
        self.store.subscribe_told(self.recent.touch)
        self.lost_runs = LostRuns(self.engine, self.store, clock_ms=self._clock)
        self.settings = AlertSettings(self.engine, clock_ms=self._clock)
        self.alerts = AlertStore(self.engine)
        self.notices: list[Notice] = []
        self.settings.put("channels", "ops", {"name": "Ops", "enabled": True}, by="test")
        self.service = self.start_service()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.engine.dispose()

    def _clock(self) -> int:
        return self.now_ms

    def start_service(self, **changes: Any) -> AlertService:
        """Make a service, as a process that starts would."""
        return AlertService(
            AlertTables(self.engine, clock_ms=self._clock),
            self.queries,
            Measurer(self.queries).measure,
            clock_ms=self._clock,
            monotonic_s=lambda: self._passed_ms / 1000,
            deaf_after_s=DAY_MS / 1000,  # steps may be as long as a test likes
            **changes,
        )

    def only(self, *rules: Rule) -> None:
        """Evaluate some rules alone: all default rules are switched off."""
        self.settings.put_all(
            "rules", {rule.id: {**rule.document(), "enabled": False} for rule in DEFAULT_RULES}, by=""
        )
        self.settings.put_all("rules", {rule.id: rule.document() for rule in rules}, by="")

    def silence(self, silence: Silence) -> None:
        self.settings.put("silences", silence.id, silence.document(), by="test", ends_at_ms=silence.ends_ms)

    def acknowledge(self, rule_id: str, key: str) -> None:
        """Acknowledge an alert as the tab does."""
        row = next(row for row in self.alerts.states() if (row.rule_id, row.key) == (rule_id, key))
        known = Acknowledgement(rule_id=rule_id, key=key, fired_ms=row.fired_at_ms or 0, by="ana", at_ms=self.now_ms)
        self.settings.put("silences", f"ack-{rule_id}-{key}"[:64], known.document(), by="ana")

    def past(self, metrics: Iterable[Metric]) -> None:
        """Store what happened before the world began."""
        every = list(metrics)
        for low in range(0, len(every), 2_000):
            assert self.store.send(batch(*every[low : low + 2_000])).accepted

    def run(self, until: str, script: Script, *, step_s: float = 30) -> None:
        """Let time pass: at each step what the script says is stored, then the rules are evaluated."""
        end_ms = moment(until)
        while self.now_ms < end_ms:
            self.pass_time(step_s)
            self.step(script(self.now_ms))

    def pass_time(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1000)
        self._passed_ms += int(seconds * 1000)

    def set_clock(self, by_s: float) -> None:
        """Set the clock forward or back."""
        self.now_ms += int(by_s * 1000)

    def step(self, happened: Iterable[Metric | ScraperRun] = ()) -> None:
        found = list(happened)
        if found:
            runs = tuple(one for one in found if isinstance(one, ScraperRun))
            self.store.send(batch(*(one for one in found if not isinstance(one, ScraperRun)), runs=runs))
            self.service.wake()
        self.lost_runs.check()
        outcome = self.service.once()
        if outcome is not None:
            self.notices += outcome.notices

    def told(self, rule_id: str | None = None) -> list[Told]:
        """Return every notification so far."""
        return [self._told(notice) for notice in self.notices if rule_id in (None, notice.rule_id)]

    def outbox(self) -> list[Told]:
        """Return what was put into the outbox: the same, if nothing was lost or written twice."""
        rows = reversed(Outbox(self.engine).newest(limit=10_000))
        return [self._told(notice_of(row.document)) for row in rows]

    def history(self, *whats: str) -> list[tuple[str, str, str]]:
        """Return (when, what, rule/key) of what happened, oldest first."""
        rows = self.alerts.history(0, self.now_ms + 1, whats=whats, limit=10_000)
        return [(self._at(row.at_ms), row.what, f"{row.rule_id}/{row.key}") for row in reversed(rows)]

    def _told(self, notice: Notice) -> Told:
        return Told(
            self._at(notice.at_ms),
            notice.what,
            notice.rule_id,
            tuple(entry.key for entry in notice.firing),
            tuple(entry.key for entry in notice.resolved),
        )

    def _at(self, at_ms: int) -> str:
        days = (at_ms - self.day_ms) // DAY_MS
        text = dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).strftime("%H:%M:%S" if at_ms % MINUTE_MS else "%H:%M")
        return f"{text}{days:+d}" if days else text


def pages(
    source: str, at_ms: int, count: int, *, failing: float = 0.0, error: str = "timeout", seed: int = 0, **changes: Any
) -> list[Metric]:
    """Return navigations of the last half minute, a share of which failed."""
    failures = round(count * failing)
    made = [
        navigation(
            source, at_ms - 100 * place, success=place >= failures, error=error if place < failures else None, **changes
        )
        for place in range(count)
    ]
    random.Random(seed + at_ms).shuffle(made)
    return list(made)


def scrapes(source: str, at_ms: int, count: int, **changes: Any) -> list[Metric]:
    """Return scrapes of the last half minute."""
    return [scrape(source, at_ms - 100 * place, **changes) for place in range(count)]


def every(step_ms: int, start: str, end: str, make: Callable[[int], Iterable[Metric]]) -> list[Metric]:
    """Return what a script would have recorded in a span of time."""
    return [metric for at_ms in range(moment(start), moment(end), step_ms) for metric in make(at_ms)]
