"""The nightly work: daily summaries, and deleting what has outlived its retention."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.engine import Engine


def generate_daily_summary(engine: Engine, date: dt.date) -> int:
    """Recompute the daily summary of one UTC day."""
    raise NotImplementedError


def cleanup(engine: Engine, retention_days: int, *, now_ms: int) -> int:
    """Delete what is older than its retention."""
    raise NotImplementedError
