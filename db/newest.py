"""How far the database has come: a number that only grows while detail is kept."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.engine import Engine

from db.errors import unavailable_as_ours
from db.models import PagePerformance, SchedulerMetric


def newest_ids(engine: Engine) -> int:
    """Return the newest ids of both detail tables added up: at least the number of batches that ever brought rows.

    Args:
        engine: A migrated database.

    Raises:
        DatabaseUnavailable: The database doesn't answer.
    """
    with unavailable_as_ours(engine), engine.connect() as connection:
        return sum(
            connection.scalar(select(func.max(column))) or 0 for column in (PagePerformance.id, SchedulerMetric.id)
        )
