"""What people decided about alerts, read together: rules, silences, acknowledgements, channels and plans of jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from alerts.channels import Channel, lenient_channel
from alerts.defaults import effective
from alerts.errors import BadSetting
from alerts.rules import Rule
from alerts.schedules import Planned, plan_of
from alerts.silences import Acknowledgement, Silence, silence_of
from db.alert_rows import Setting as Kind
from db.alert_rows import SettingRow


@dataclass(frozen=True, slots=True)
class Setting:
    """What people decided, as an evaluation needs it.

    Args:
        rules: Every rule, also those that are switched off.
        silences: Every silence.
        acknowledgements: By id.
        channels: The channels that are switched on, by id.
        plans: When scheduler jobs are meant to run, by job.
    """

    rules: tuple[Rule, ...] = ()
    silences: tuple[Silence, ...] = ()
    acknowledgements: Mapping[str, Acknowledgement] = field(default_factory=dict)
    channels: Mapping[str, Channel] = field(default_factory=dict)
    plans: Mapping[str, Planned] = field(default_factory=dict)


class SettingRows(Protocol):
    """Who has the rows of the tables: the tables themselves (`AlertSettings`), or what was read of them."""

    def all(self, which: Kind) -> tuple[SettingRow, ...]:
        """Return every one of a kind."""


def read_setting(settings: SettingRows) -> tuple[Setting, dict[str, str]]:
    """Read everything; what can't be understood (another version wrote it, or a hand) is left out and told.

    Args:
        settings: The tables.

    Returns:
        (what was decided, what is wrong by what it is about).
    """
    rules, problems = effective(settings.all("rules"))
    bad = {problem.what: str(problem) for problem in problems}
    silences: list[Silence] = []
    acknowledgements: dict[str, Acknowledgement] = {}
    for row in settings.all("silences"):
        try:
            silence = silence_of(row.document)
        except BadSetting as exc:
            bad[exc.what] = str(exc)
            continue
        if isinstance(silence, Silence):
            silences.append(silence)
        else:
            acknowledgements[row.id] = silence
    plans: dict[str, Planned] = {}
    for row in settings.all("schedules"):
        try:
            plans[row.id] = Planned(plan_of({**row.document, "job": row.id}), row.updated_at_ms)
        except BadSetting as exc:
            bad[exc.what] = str(exc)
    channels: dict[str, Channel] = {}
    for row in settings.all("channels"):
        channel, problem = lenient_channel(row.id, row.document)
        if problem:
            bad[f"channel {row.id}"] = problem
        if channel.enabled:
            channels[row.id] = channel
    return Setting(rules, tuple(silences), acknowledgements, channels, plans), bad
