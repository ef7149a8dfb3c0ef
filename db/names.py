"""Which sources the database knows, found without reading their rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from db.models import DailySummary
from db.models import PagePerformance as Page


def known_sources(connection: Connection) -> frozenset[str]:
    """Return every source with a detail row or a daily summary.

    Args:
        connection: An open connection.
    """
    summarized = connection.scalars(select(DailySummary.scraper_source).distinct())
    return frozenset(summarized).union(connection.scalars(detail_sources(connection.dialect.name)))


def detail_sources(dialect: str) -> Any:
    """Return the query for the sources of detail rows: one step in the index for each source, not one for each row.

    Args:
        dialect: `sqlite` or `mysql`.
    """
    if dialect != "sqlite":
        return select(Page.scraper_source).distinct()  # a loose index scan
    # SQLite reads every entry for a DISTINCT; this jumps from one name to the next.
    names = select(func.min(Page.scraper_source).label("name")).cte("names", recursive=True)
    following = select(func.min(Page.scraper_source)).where(Page.scraper_source > names.c.name).scalar_subquery()
    names = names.union_all(select(following).where(names.c.name.is_not(None)))
    return select(names.c.name).where(names.c.name.is_not(None))
