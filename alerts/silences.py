"""When nobody is to be told: silences, recurring maintenance windows, and alerts that somebody acknowledged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from alerts.cron import cron_expression, last_moment
from alerts.errors import parsed
from alerts.matchers import Matchers, match
from alerts.rules import SettingId, Zone
from alerts.units import Length

Moment = Annotated[int, Field(ge=0, le=1 << 45)]
_LONGEST_S: Final = 7 * 86_400.0


class Silence(BaseModel):
    """Alerts that nobody is told of for a while; they are evaluated and shown all the same.

    Once, from `starts_ms` to `ends_ms`; or each time `cron` says, for `duration_s` (a maintenance window). A snooze is
    a silence that means one alert.

    Args:
        id: Its name for programs.
        comment: Why.
        by: Who says so.
        only: Matchers: which alerts, by rule (its id), severity, source, domain, job, key, and labels of the rule.
        starts_ms: From when, epoch ms.
        ends_ms: Until when, epoch ms; a recurring one may have none.
        cron: When it begins again, as cron writes it: `0 2 * * sun`.
        duration_s: For how long, each time.
        timezone: Whose clock `cron` goes by.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    id: SettingId
    comment: str = Field("", max_length=500)
    by: str = Field("", max_length=100)
    only: Matchers = Field(min_length=1)
    starts_ms: Moment = 0
    ends_ms: Moment | None = None
    cron: Annotated[str, AfterValidator(lambda text: cron_expression(text) if text else "")] = ""
    duration_s: Length = Field(0.0, alias="duration", le=_LONGEST_S)
    timezone: Zone = "UTC"

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.cron and not self.duration_s:
            raise ValueError("duration: takes how long it lasts each time, like 2h")
        if not self.cron and self.ends_ms is None:
            raise ValueError("ends_ms: takes when it ends")
        if self.ends_ms is not None and self.ends_ms <= self.starts_ms:
            raise ValueError("ends_ms: takes a moment after starts_ms")
        return self

    def document(self) -> dict[str, Any]:
        """Return it as it is kept in the database."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def active(self, now_ms: int) -> bool:
        """Say whether it silences at a moment.

        Args:
            now_ms: Epoch ms.
        """
        if now_ms < self.starts_ms or (self.ends_ms is not None and now_ms >= self.ends_ms):
            return False
        if not self.cron:
            return True
        now = dt.datetime.fromtimestamp(now_ms / 1000, ZoneInfo(self.timezone))
        began = last_moment(self.cron, now)
        return began is not None and (now - began).total_seconds() < self.duration_s

    def silences(self, labels: Mapping[str, str]) -> bool:
        """Say whether it means an alert.

        Args:
            labels: The alert's labels (`alerts.notify.labels_of`).
        """
        return match(self.only, labels)


class Acknowledgement(BaseModel):
    """Somebody knows of an alert that fires: it isn't told again until it is resolved.

    Args:
        kind: Tells it from a silence.
        rule_id: Whose alert.
        key: Which alert.
        fired_ms: When it began to fire, epoch ms: a later one isn't meant.
        by: Who.
        comment: What they say.
        at_ms: When, epoch ms.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["acknowledgement"] = "acknowledgement"
    rule_id: str = Field(max_length=64)
    key: str = Field(max_length=190)
    fired_ms: Moment
    by: str = Field("", max_length=100)
    comment: str = Field("", max_length=500)
    at_ms: Moment = 0

    def document(self) -> dict[str, Any]:
        """Return it as it is kept in the database."""
        return self.model_dump(mode="json")


def silence_of(document: Mapping[str, Any]) -> Silence | Acknowledgement:
    """Make a silence or an acknowledgement from what the database keeps, or from what a person wrote.

    Args:
        document: What it says.

    Raises:
        BadSetting: It can't be used.
    """
    if document.get("kind") == "acknowledgement":
        return parsed(Acknowledgement, document, what="acknowledgement")
    return parsed(Silence, document, what=f"silence {str(document.get('id', ''))[:64]}")


def silenced_by(silences: Iterable[Silence], labels: Mapping[str, str]) -> str | None:
    """Return the id of the first silence that means an alert, None when it isn't silenced.

    Args:
        silences: Those that are active.
        labels: The alert's labels.
    """
    return next((silence.id for silence in silences if silence.silences(labels)), None)
