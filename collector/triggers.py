"""What the triggers of APScheduler and the schedules of Celery are in the words of `collector.declare_schedule`."""

import re
from datetime import timedelta
from typing import Any

from collector.cron_fields import cron_text, zone_name
from collector.schedules import LEAST_INTERVAL_S

_PART = re.compile(r"(?P<first>\*|[a-z]{3}|\d+)(?:-(?P<last>[a-z]{3}|\d+))?(?:/(?P<step>\d+))?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")  # APScheduler's week begins on Monday
_BOUNDS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "day_of_week": (0, 6)}


def of_cron_trigger(trigger: Any) -> dict[str, Any] | None:
    """Say an APScheduler 3 `CronTrigger`; None when five fields can't, or when it ends, or comes at random.

    Args:
        trigger: The trigger.
    """
    said = {field.name: str(field) for field in trigger.fields}
    zone = zone_name(trigger.timezone)
    if (said["year"], said["week"], said["second"]) != ("*", "*", "0") or zone is None:
        return None
    if trigger.jitter or trigger.start_date is not None or trigger.end_date is not None:
        return None
    values = {name: _values(said[name], name) for name in _BOUNDS}
    if any(found is None for found in values.values()):
        return None  # "last", "2nd fri"
    cron = cron_text(
        minutes=values["minute"] or (),
        hours=values["hour"] or (),
        days=values["day"] or (),
        months=values["month"] or (),
        weekdays={(day + 1) % 7 for day in values["day_of_week"] or ()},
    )
    return None if cron is None else {"cron": cron, "timezone": zone}


def of_interval_trigger(trigger: Any) -> dict[str, Any] | None:
    """Say an APScheduler 3 `IntervalTrigger`; None when it ends, comes at random, or is too short for an app.

    Args:
        trigger: The trigger.
    """
    return None if trigger.jitter or trigger.end_date is not None else of_interval(trigger.interval)


def of_crontab(crontab: Any, zone: object) -> dict[str, Any] | None:
    """Say Celery's `crontab`; None when cron can't.

    Args:
        crontab: It.
        zone: The time zone of the app, by which it goes.
    """
    name = zone_name(zone)
    cron = cron_text(
        minutes=crontab.minute,
        hours=crontab.hour,
        days=crontab.day_of_month,
        months=crontab.month_of_year,
        weekdays=crontab.day_of_week,
    )
    return None if cron is None or name is None else {"cron": cron, "timezone": name}


def of_interval(interval: timedelta) -> dict[str, Any] | None:
    """Say an interval; None when it is too short for an app.

    Args:
        interval: From start to start.
    """
    seconds = interval.total_seconds()
    return {"interval_s": seconds} if seconds >= LEAST_INTERVAL_S else None


def _values(text: str, field: str) -> set[int] | None:
    """Return the numbers that a field of a `CronTrigger` takes; None when they depend on the month."""
    least, most = _BOUNDS[field]
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            return None
        first, last = _number(match["first"], least), _number(match["last"], most)
        if first is None or last is None:
            return None
        if match["last"] is None and match["step"] is None and match["first"] != "*":
            last = first
        found |= set(range(first, last + 1, int(match["step"] or 1)))
    return found


def _number(text: str | None, without: int) -> int | None:
    if text is None or text == "*":
        return without
    if text.isdecimal():
        return int(text)
    return _MONTHS.index(text) + 1 if text in _MONTHS else _WEEKDAYS.index(text) if text in _WEEKDAYS else None
