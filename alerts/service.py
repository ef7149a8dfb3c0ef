"""The thread that evaluates alert rules on time: in one process at a time, and what it finds is written at once."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from alerts.evaluator import Evaluator, Measure, Outcome
from alerts.look import Look
from alerts.rules import Rule
from alerts.setting import Setting, read_setting
from db.alert_lease import LeaseLost
from db.alert_queries import AlertQueries
from db.alert_tables import AlertTables
from db.cells import DAY_MS
from db.clock import now_ms
from db.errors import DatabaseError

_log = logging.getLogger(__name__)

# Metrics wake an evaluation, but not more often than this; a long one rests for a few times as long as it took.
LEAST_PAUSE_S: Final = 1.0
_REST: Final = 4.0
_WOKEN_UP_TO_S: Final = 5.0  # rules with a longer interval wait for it
# Who doesn't evaluate looks this often whether it should, and whether alerts changed.
_LOOK_S: Final = 2.0
_RENEW_S: Final = 4.0
_CLOCK_STEP_MS: Final = 5_000
_KEPT_MS: Final = 90 * DAY_MS
_FORGET_EVERY_S: Final = 3_600.0


def _nobody() -> None:
    """Tell nobody."""


class AlertService:
    """Evaluates all rules, if no other process does.

    Args:
        tables: Where rules and alerts are kept.
        queries: Who is asked; its memory must be subscribed to the store before `wake` is.
        measure: Measures a rule.
        on_change: Called after alerts or settings changed, in whichever process; from this service's thread.
        on_deliveries: Called after notifications were put into the outbox by this process.
        clock_ms: The present in epoch milliseconds.
        monotonic_s: A clock that nobody sets, seconds.
        lease_s: As for `db.alert_lease.AlertLease`.
        deaf_after_s: When nobody evaluated for so long, nothing could be heard either: who was silent isn't to blame
            for that time.
    """

    def __init__(
        self,
        tables: AlertTables,
        queries: AlertQueries,
        measure: Measure,
        *,
        on_change: Callable[[], object] = _nobody,
        on_deliveries: Callable[[], object] = _nobody,
        clock_ms: Callable[[], int] = now_ms,
        monotonic_s: Callable[[], float] = time.monotonic,
        lease_s: float = 15.0,
        deaf_after_s: float = 60.0,
    ) -> None:
        self._queries = queries
        self._deaf_after_ms = int(deaf_after_s * 1000)
        self._on_change = on_change
        self._on_deliveries = on_deliveries
        self._clock_ms = clock_ms
        self._monotonic_s = monotonic_s
        self._settings = tables.settings
        self._store = tables.store
        self._lease = tables.lease(secrets.randbits(62) | 1, length_s=lease_s)
        self._evaluator = Evaluator(measure)
        self._setting = Setting()
        self._turns: tuple[int, int] | None = None
        self._leads = False
        self._next_s: dict[str, float] = {}  # rule -> when it is due, by the clock that nobody sets
        self._rest_until_s = 0.0
        self._renewed_s = 0.0
        self._evaluated: tuple[int, float] | None = None  # the last moment, by both clocks
        self._listening_since_ms = 0
        self._forgotten_s = 0.0
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.problems: dict[str, str] = {}  # of rules that can't be evaluated or read, by id
        self.evaluations = 0
        self.skipped = 0  # evaluations of a rule that were left out because the one before took too long
        self.failures = 0  # evaluations that found the database away, or failed
        self.takeovers = 0
        self.lost_leases = 0
        self.clock_steps = 0
        self.last_took_ms = 0.0

    # The thread --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Evaluate in a background thread, until `stop`."""
        assert self._thread is None, "the alert rules are evaluated already"
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End the thread and let another process evaluate at once.

        Args:
            timeout_s: How long to wait for an evaluation that is going on.
        """
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None
        if self._leads:
            self._leads = False
            with suppress(DatabaseError):  # it runs out by itself
                self._lease.give_up()

    def wake(self, _metrics: object = None) -> None:
        """Say that there are new metrics: a listener of the store."""
        self._wake.set()

    @property
    def leads(self) -> bool:
        """Whether this process is the one that evaluates."""
        return self._leads

    def stats(self) -> dict[str, Any]:
        """Return what was done so far, and how alerts stand as far as this process knows."""
        standings = [alert.state.standing for alert in self._evaluator.alerts()] if self._leads else []
        return {
            "alertLeader": self._leads,
            "alertRules": sum(rule.enabled for rule in self._setting.rules),
            "alertRuleProblems": len(self.problems),
            "alertsFiring": standings.count("firing") + standings.count("recovering"),
            "alertsPending": standings.count("pending"),
            "alertEvaluations": self.evaluations,
            "alertEvaluationMs": round(self.last_took_ms, 1),
            "alertEvaluationsSkipped": self.skipped,
            "alertFailures": self.failures + sum(self._evaluator.failures.values()),
            "alertTakeovers": self.takeovers,
            "alertLeasesLost": self.lost_leases,
            "alertClockSteps": self.clock_steps,
        }

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.once()
            except LeaseLost as exc:
                _log.warning("%s", exc)
            except DatabaseError as exc:
                self.failures += 1
                self._leads = False  # what was written, if anything, is read again
                _log.warning("alert rules wait: %s", exc)
            except Exception:  # noqa: BLE001 - a bug must not end the evaluation for good
                self.failures += 1
                self._leads = False
                _log.exception("alert rules could not be evaluated")
            self._wait()

    def _wait(self) -> None:
        now_s = self._monotonic_s()
        if not self._leads:
            self._stop.wait(_LOOK_S)
            return
        if self._stop.wait(max(0.0, self._rest_until_s - now_s)):
            return
        due_s = min(self._next_s.values(), default=now_s + _LOOK_S)
        self._wake.wait(max(0.0, min(due_s - self._monotonic_s(), _LOOK_S)))

    # One evaluation ----------------------------------------------------------------------------------------------

    def once(self) -> Outcome | None:
        """Evaluate what is due now, if this process is the one that does.

        Returns:
            What was found and written; None when another process evaluates.

        Raises:
            DatabaseUnavailable: The database can't be asked.
        """
        woken = self._wake.is_set()
        self._wake.clear()
        if not self._leads and not self._take_over():
            self._follow()
            return None
        self._read_settings()
        now, began_s = self._clock_ms(), self._monotonic_s()
        self._notice_clock(now, began_s)
        due = self._due(began_s, woken=woken)
        look = Look(self._queries, now, listening_since_ms=self._listening_since_ms, plans=self._setting.plans)
        outcome = self._evaluator.evaluate(self._setting, due, look)
        self._write(outcome, began_s)
        self._evaluated = (now, began_s)
        self._scheduled(due, began_s)
        for rule in due:
            self.problems.pop(rule.id, None)
        self.problems |= outcome.problems
        if not outcome.changes.empty:
            self._on_change()
        if outcome.changes.deliveries:
            self._on_deliveries()
        self._forget(began_s)
        return outcome

    def _take_over(self) -> bool:
        if not self._lease.take():
            return False
        evaluated_ms = self._lease.evaluated_ms()
        now = self._clock_ms()
        if self._evaluated is None and (evaluated_ms is None or now - evaluated_ms > self._deaf_after_ms):
            self._listening_since_ms = now
        self._evaluator.load(self._store.states())
        self._turns = None
        self._leads = True
        self.takeovers += 1
        return True

    def _follow(self) -> None:
        """Let the pages of this process show what another one found."""
        turns = self._settings.turns()
        if turns != self._turns:
            self._turns = turns
            self._on_change()

    def _read_settings(self) -> None:
        turns = self._settings.turns()
        if self._turns is not None and turns[0] == self._turns[0]:
            return
        self._setting, self.problems = read_setting(self._settings)
        enabled = {rule.id for rule in self._setting.rules if rule.enabled}
        self._next_s = {id: due_s for id, due_s in self._next_s.items() if id in enabled}
        changed = self._turns is not None
        self._turns = turns
        if changed:
            self._on_change()

    def _notice_clock(self, now: int, began_s: float) -> None:
        if self._evaluated is None:
            return
        before_ms, before_s = self._evaluated
        passed_ms = round((began_s - before_s) * 1000)
        step_ms = now - before_ms - passed_ms
        if abs(step_ms) > _CLOCK_STEP_MS:
            self.clock_steps += 1
            self._evaluator.shift(step_ms)
            _log.warning("the clock was set %s by %.1f s", "forward" if step_ms > 0 else "back", abs(step_ms) / 1000)
        if passed_ms > self._deaf_after_ms or abs(step_ms) > _CLOCK_STEP_MS or now < self._listening_since_ms:
            self._listening_since_ms = now

    def _due(self, now_s: float, *, woken: bool) -> list[Rule]:
        found = []
        for rule in self._setting.rules:
            if not rule.enabled:
                continue
            due_s = self._next_s.get(rule.id, now_s)
            if due_s <= now_s or (woken and rule.interval_s <= _WOKEN_UP_TO_S):
                found.append(rule)
        return found

    def _scheduled(self, due: list[Rule], began_s: float) -> None:
        ended_s = self._monotonic_s()
        self.evaluations += 1
        self.last_took_ms = (ended_s - began_s) * 1000
        self._rest_until_s = ended_s + max(LEAST_PAUSE_S, _REST * (ended_s - began_s))
        for rule in due:
            missed = int((ended_s - began_s) // rule.interval_s)
            self.skipped += missed
            self._next_s[rule.id] = began_s + (missed + 1) * rule.interval_s

    def _write(self, outcome: Outcome, began_s: float) -> None:
        if outcome.changes.empty and 0 <= began_s - self._renewed_s < _RENEW_S:
            self._evaluator.keep(outcome)
            return
        try:
            self._store.write(self._lease, outcome.changes, evaluated_at_ms=outcome.now_ms)
        except LeaseLost:
            self._leads = False
            self.lost_leases += 1
            raise
        except DatabaseError:
            # Perhaps it was written and only the answer was lost: how alerts stand is read again.
            self._leads = False
            raise
        self._renewed_s = began_s
        self._evaluator.keep(outcome)

    def _forget(self, now_s: float) -> None:
        if self._forgotten_s and 0 <= now_s - self._forgotten_s < _FORGET_EVERY_S:
            return
        # Some thousand rows at a time: what is left goes after the next evaluation.
        if not self._store.forget_before(self._clock_ms() - _KEPT_MS):
            self._forgotten_s = now_s
