"""Where schedules of jobs are declared, changed and deleted: by people on the tab, and by programs over HTTP."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

from alerts.errors import BadSetting, Fault
from alerts.schedules import JobPlan, Planned, plan_of
from db.alert_rows import SettingRow
from db.alert_tables import AlertTables
from db.errors import ChangedMeanwhile


class Declared(NamedTuple):
    """What became of a program's declaration.

    Args:
        plan: The schedule that holds now.
        changed: Whether it was written.
        kept_by: Who wrote the one that stays instead, "" when what the program says holds.
    """

    plan: JobPlan
    changed: bool
    kept_by: str = ""


class ScheduleDesk:
    """Writes schedules, and never over somebody else's change; every method raises DatabaseUnavailable.

    Args:
        tables: Where they are kept.
    """

    def __init__(self, tables: AlertTables) -> None:
        self._tables = tables

    def plan(self, job: str) -> tuple[JobPlan, int] | None:
        """Return a job's schedule and its version; None when there is none.

        Args:
            job: Its name.

        Raises:
            BadSetting: What is kept can't be read.
        """
        row = self._row(job)
        return None if row is None else (plan_of({**row.document, "job": row.id}), row.updated_at_ms)

    def plans(self) -> tuple[Planned, ...]:
        """Return every schedule that can be read, by job."""
        found: list[Planned] = []
        for row in self._tables.settings.all("schedules"):
            try:
                found.append(Planned(plan_of({**row.document, "job": row.id}), row.updated_at_ms))
            except BadSetting:
                continue  # the tab says so (`alerts.setting.read_setting`)
        return tuple(found)

    def save(self, document: Mapping[str, Any], *, by: str, known: int | None) -> JobPlan:
        """Write a schedule that somebody looked at.

        Args:
            document: What it says.
            by: Who says so.
            known: Its version when it was opened; None for a new one, whose job must have none.

        Raises:
            BadSetting: It can't be used, or somebody else changed it meanwhile.
        """
        plan = plan_of(document)
        try:
            self._put(plan, by, known or 0)
        except ChangedMeanwhile as exc:
            if known is None:
                fault = Fault("job", "has a schedule already: edit that one")
            else:
                at = f"{dt.datetime.fromtimestamp(exc.at_ms / 1000, dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
                who = f"{exc.by or 'somebody'} at {at}" if exc.at_ms else "deletion"
                fault = Fault("schedule", f"was changed by {who} while you edited it: close this and open it again")
            raise BadSetting(plan.job, (fault,)) from exc
        return plan

    def declare(self, document: Mapping[str, Any], *, by: str) -> Declared:
        """Write a schedule as a program says it, unless somebody else wrote one; what says the same stays as it is.

        Args:
            document: What it says.
            by: Who says so; the same for all programs.

        Returns:
            What became of it.

        Raises:
            BadSetting: It can't be used.
        """
        plan = plan_of(document)
        while True:
            row = self._row(plan.job)
            try:
                kept = None if row is None else plan_of({**row.document, "job": row.id})
            except BadSetting:
                kept = None  # what nobody can read is written anew
            if row is not None and kept is not None and (kept == plan or row.updated_by != by):
                return Declared(kept, changed=False, kept_by="" if kept == plan else row.updated_by or "somebody")
            try:
                self._put(plan, by, 0 if row is None else row.updated_at_ms)
            except ChangedMeanwhile:
                continue  # somebody was faster: look at what they wrote
            return Declared(plan, changed=True)

    def remove(self, job: str) -> bool:
        """Delete a schedule; returns whether there was one.

        Args:
            job: Whose.
        """
        return self._tables.settings.delete("schedules", job)

    def delete(self, job: str) -> str:
        """Delete a schedule; returns what was done, in words.

        Args:
            job: Whose.
        """
        return (
            f"Deleted: it is learnt again when {job} usually runs." if self.remove(job) else "It was deleted already."
        )

    def _row(self, job: str) -> SettingRow | None:
        return next((row for row in self._tables.settings.all("schedules") if row.id == job), None)

    def _put(self, plan: JobPlan, by: str, known_ms: int | None) -> None:
        kept = {name: value for name, value in plan.document().items() if name != "job"}
        self._tables.settings.put("schedules", plan.job, kept, by=by, known_ms=known_ms)
