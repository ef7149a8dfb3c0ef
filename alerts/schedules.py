"""When scheduler jobs are meant to run, as somebody declared it: cron or an interval, a grace time and a time zone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from alerts.cron import cron_expression, last_moment, last_moments, moments
from alerts.errors import parsed
from alerts.rules import Zone
from alerts.units import Length, said

# A run that begins so shortly before its moment is meant for it: clocks differ.
EARLY_MS: Final = 30_000
_MOST_MISSED: Final = 1_000
_FURTHEST: Final = dt.timedelta(days=3_653)


class JobPlan(BaseModel):
    """When a job is meant to run.

    Args:
        job: Its name.
        cron: As cron writes it, five fields; or
        interval_s: the time between two starts.
        grace_s: How late a run may begin.
        timezone: Whose clock `cron` goes by.
        longest_s: How long a run may take; 0 for as long as usual.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    job: str = Field(min_length=1, max_length=50)
    cron: Annotated[str, AfterValidator(lambda text: cron_expression(text) if text else "")] = ""
    interval_s: Length = Field(0.0, alias="interval")
    grace_s: Length = Field(300.0, alias="grace")
    timezone: Zone = "UTC"
    longest_s: Length = Field(0.0, alias="longest")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if bool(self.cron) == bool(self.interval_s):
            raise ValueError("cron: takes a cron expression, or interval a length of time; one of the two")
        if self.interval_s and self.interval_s < 10:
            raise ValueError("interval: takes at least 10s")
        return self

    def document(self) -> dict[str, Any]:
        """Return it as it is kept in the database."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    @property
    def when(self) -> str:
        """When it is, in words: `30 2 * * * (Europe/Berlin)` or `every 15m`."""
        return f"{self.cron} ({self.timezone})" if self.cron else f"every {said(self.interval_s)}"

    def due_after(self, start_ms: int, until_ms: int) -> list[int]:
        """Return the moments at which runs should have begun after one that did.

        Args:
            start_ms: When that one began, epoch ms; 30 seconds early is on time.
            until_ms: The last moment that counts, epoch ms.

        Returns:
            Epoch ms, rising, at most a thousand.
        """
        if until_ms <= start_ms:
            return []
        if self.interval_s:
            step_ms = int(self.interval_s * 1000)
            count = min(_MOST_MISSED, (until_ms - start_ms) // step_ms)
            return [start_ms + step_ms * number for number in range(1, count + 1)]
        zone = ZoneInfo(self.timezone)
        found = moments(self.cron, _local(start_ms + EARLY_MS, zone), _local(until_ms, zone), most=_MOST_MISSED)
        return [int(moment.timestamp() * 1000) for moment in found]

    def next_after(self, now_ms: int, count: int) -> list[int]:
        """Return the next moments at which runs are meant to begin; by interval, after a run that begins now.

        Args:
            now_ms: The moment, epoch ms.
            count: How many; fewer when there are no more in the next ten years.

        Returns:
            Epoch ms, rising.
        """
        if self.interval_s:
            step_ms = int(self.interval_s * 1000)
            return [now_ms + step_ms * number for number in range(1, count + 1)]
        now = _local(now_ms, ZoneInfo(self.timezone))
        found = moments(self.cron, now, now + _FURTHEST, most=count)
        return [int(moment.timestamp() * 1000) for moment in found]

    def newest_before(self, until_ms: int, since_ms: int, most: int) -> list[int]:
        """Return the last moments that `cron` names up to a moment.

        Args:
            until_ms: That one, epoch ms, inclusive.
            since_ms: The first that counts, epoch ms.
            most: How many at most.

        Returns:
            Epoch ms, rising; none for a plan by interval.
        """
        if not self.cron or until_ms < since_ms:
            return []
        zone = ZoneInfo(self.timezone)
        found = last_moments(self.cron, _local(until_ms, zone), _local(since_ms, zone), most=most)
        return [int(moment.timestamp() * 1000) for moment in found]

    def meant_for(self, start_ms: int, before_ms: int | None) -> int | None:
        """Return the moment that a run was meant for; None for one that came in between, by hand perhaps.

        Args:
            start_ms: When it began, epoch ms.
            before_ms: When the run before began, epoch ms; None when it is the first one.
        """
        if self.interval_s:
            return None if before_ms is None else before_ms + int(self.interval_s * 1000)
        moment = last_moment(self.cron, _local(start_ms + EARLY_MS, ZoneInfo(self.timezone)))
        if moment is None:
            return None
        meant_ms = int(moment.timestamp() * 1000)
        return None if before_ms is not None and meant_ms <= before_ms + EARLY_MS else meant_ms


@dataclass(frozen=True, slots=True)
class Planned:
    """A declared plan and since when it holds, epoch ms."""

    plan: JobPlan
    since_ms: int


def plan_of(document: Mapping[str, Any]) -> JobPlan:
    """Make a plan from what the database keeps, or from what a person wrote.

    Args:
        document: What it says.

    Raises:
        BadSetting: It can't be used.
    """
    return parsed(JobPlan, document, what=f"schedule of {str(document.get('job', ''))[:50]}")


def _local(moment_ms: int, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.fromtimestamp(moment_ms / 1000, zone)
