"""Moments that cron expressions name, in time zones with daylight saving time (by cronsim, as Debian's cron does)."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

from cronsim import CronSim, CronSimError

_TAKES = "takes five fields as cron has them: minute hour day month weekday, like 30 2 * * mon-fri"
_MOST_CHARS = 100


def cron_expression(text: str) -> str:
    """Return an expression if it names moments.

    Args:
        text: Five fields.

    Raises:
        ValueError: It isn't one, or names a day that never comes.
    """
    fields = text.split()
    if len(fields) != 5 or len(text) > _MOST_CHARS:
        raise ValueError(_TAKES)
    try:
        next(CronSim(" ".join(fields), dt.datetime(2024, 1, 1, tzinfo=dt.UTC)))
    except (CronSimError, StopIteration) as exc:
        raise ValueError(f"{_TAKES}; {str(exc) or 'that moment never comes'}") from exc
    return " ".join(fields)


def last_moment(expression: str, now: dt.datetime) -> dt.datetime | None:
    """Return the last moment up to now, None when there was none for decades.

    Args:
        expression: One that `cron_expression` has returned.
        now: With a time zone: it is the one that the expression is meant in.
    """
    # The same minute has the same answer; the moment itself counts.
    return _last(expression, now.replace(second=0, microsecond=0) + dt.timedelta(minutes=1))


def last_moments(expression: str, until: dt.datetime, since: dt.datetime, *, most: int) -> list[dt.datetime]:
    """Return the last moments in [since, until], rising.

    Args:
        expression: One that `cron_expression` has returned.
        until: With the time zone that the expression is meant in.
        since: Any time zone.
        most: How many at most.
    """
    found: list[dt.datetime] = []
    before = until.replace(second=0, microsecond=0) + dt.timedelta(minutes=1)
    for moment in CronSim(expression, before, reverse=True):
        if moment < since or len(found) >= most:
            break
        found.append(moment)
    return found[::-1]


@lru_cache(maxsize=1024)
def _last(expression: str, before: dt.datetime) -> dt.datetime | None:
    return next(CronSim(expression, before, reverse=True), None)


def moments(expression: str, after: dt.datetime, until: dt.datetime, *, most: int) -> list[dt.datetime]:
    """Return the moments in (after, until], rising.

    Args:
        expression: One that `cron_expression` has returned.
        after: With the time zone that the expression is meant in.
        until: Any time zone.
        most: How many at most.
    """
    found: list[dt.datetime] = []
    for moment in CronSim(expression, after):
        if moment > until or len(found) >= most:
            break
        found.append(moment)
    return found
