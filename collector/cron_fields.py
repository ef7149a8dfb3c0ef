"""Cron expressions of five fields, and names of time zones, that say exactly what somebody else's schedule does."""

from collections.abc import Collection
from itertools import pairwise

_EVERY = {"minute": range(60), "hour": range(24), "day": range(1, 32), "month": range(1, 13), "weekday": range(7)}
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MOST_CHARS = 100  # an app takes no more


def cron_text(
    *,
    minutes: Collection[int],
    hours: Collection[int],
    days: Collection[int],
    months: Collection[int],
    weekdays: Collection[int],
) -> str | None:
    """Write a cron expression.

    Args:
        minutes: 0-59.
        hours: 0-23.
        days: Of the month, 1-31.
        months: 1-12.
        weekdays: 0-6 from Sunday; they are written as names, as not everybody counts from there.

    Returns:
        The expression; None when cron can't say it: it takes a day that fits *or* a weekday that does when it is given
        both, while schedulers mean days that fit both.
    """
    given = (minutes, hours, days, months, weekdays)
    fields: list[str] = []
    for (name, every), values in zip(_EVERY.items(), given, strict=True):
        if not values or not set(values) <= set(every):
            return None
        fields.append(_named(set(values)) if name == "weekday" else _field(sorted(set(values)), every))
    written = " ".join(fields)
    both = fields[2] != "*" and fields[4] != "*"
    return None if both or len(written) > _MOST_CHARS else written


def _field(values: list[int], every: range) -> str:
    if values == list(every):
        return "*"
    steps = {later - value for value, later in pairwise(values)}
    step = steps.pop() if len(steps) == 1 else 1
    if step > 1 and len(values) > 2:
        whole = values[0] == every[0] and values[-1] + step > every[-1]
        return f"*/{step}" if whole else f"{values[0]}-{values[-1]}/{step}"
    return ",".join(_span(run, [str(value) for value in run]) for run in _runs(values))


def _named(values: set[int]) -> str:
    if len(values) == len(_DAYS):
        return "*"
    # Sunday by itself: in some crons it begins the week, in others it ends it, so no range holds it.
    runs = _runs(sorted(values - {0})) + ([[0]] if 0 in values else [])
    return ",".join(_span(run, [_DAYS[value] for value in run]) for run in runs)


def _span(run: list[int], names: list[str]) -> str:
    return f"{names[0]}-{names[-1]}" if len(run) > 2 else ",".join(names)


def _runs(values: list[int]) -> list[list[int]]:
    """Return rising numbers in lists of those that follow each other."""
    runs: list[list[int]] = []
    for value in values:
        if runs and runs[-1][-1] == value - 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return runs


def zone_name(zone: object) -> str | None:
    """Return what a time zone is called (zoneinfo, pytz, UTC); None for one that has no name others know.

    Args:
        zone: A tzinfo.
    """
    found = getattr(zone, "key", None) or getattr(zone, "zone", None) or ("UTC" if str(zone) == "UTC" else None)
    return None if found is None or str(found).lower() == "local" else str(found)
