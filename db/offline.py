"""Answers without the program's threads: what one command of the command line needs."""

from __future__ import annotations

from sqlalchemy.engine import Engine

from db.errors import unavailable_as_ours
from db.job_history import JobHistory
from db.job_rollups import JobRollups
from db.queries import Queries
from db.recent import RecentDetail
from db.recent_runs import RecentRuns
from db.rollups import Rollups


def offline_queries(engine: Engine) -> Queries:
    """Read the newest rows and return who answers from them and from the database.

    Args:
        engine: A migrated database.

    Raises:
        DatabaseUnavailable: The database can't be asked.
    """
    recent, runs = RecentDetail(), RecentRuns()
    with unavailable_as_ours(engine):
        recent.load(engine, also=lambda connection: [runs.read(connection)])
    return Queries(
        engine, recent, rollups=Rollups(engine), jobs=JobHistory(engine, runs, JobRollups(engine)), exact_rows=10_000
    )
