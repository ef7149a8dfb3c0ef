"""Reading from a replica without ever showing less than what was already shown."""

from __future__ import annotations

import logging
import time
from typing import Any

from sqlalchemy.engine import Engine

from db.engine import make_engine
from db.errors import UNAVAILABLE, BadDatabaseUrl

_log = logging.getLogger(__name__)


class Following:
    """Asks a replica's connection whether it has everything that the primary has committed, and lets it catch up.

    It compares global transaction ids: exact, at the price of one small question to each server before each read.

    Args:
        primary: The primary.
        patience_s: How long to wait for the replica; a read waits so long at most.
        unasked_s: How long a primary that didn't answer isn't asked again.
    """

    def __init__(self, primary: Engine, *, patience_s: float = 0.2, unasked_s: float = 5.0) -> None:
        self._primary = primary
        self._patience_s = patience_s
        self._unasked_s = unasked_s
        self._away_until_s = 0.0

    def __call__(self, connection: Any) -> bool:
        """Say whether the replica may be read.

        Args:
            connection: The driver's connection to it.

        Returns:
            True when it has caught up, and when the primary can't be asked: then there is nothing better to read.
        """
        position = self._position()
        if not position:
            return True
        with connection.cursor() as cursor:
            if self._primary.dialect.is_mariadb:  # type: ignore[attr-defined]
                cursor.execute("SELECT MASTER_GTID_WAIT(%s, %s)", (position, self._patience_s))
            else:
                cursor.execute("SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %s)", (position, self._patience_s))
            return bool(cursor.fetchone()[0] == 0)

    def _position(self) -> str | None:
        if time.monotonic() < self._away_until_s:
            return None
        try:
            with self._primary.connect() as connection:
                mariadb = self._primary.dialect.is_mariadb  # type: ignore[attr-defined]
                question = "SELECT @@global.gtid_binlog_pos" if mariadb else "SELECT @@global.gtid_executed"
                return connection.exec_driver_sql(question).scalar()
        except UNAVAILABLE:
            self._away_until_s = time.monotonic() + self._unasked_s
            return None


def make_read_engine(
    *, url: str, primary_url: str, primary: Engine, connect_timeout_s: int = 2, aside_s: float = 5.0
) -> Engine:
    """Make an engine for pages: it reads from a replica, and from the primary while that is away or behind.

    Args:
        url: The replica, or several: `mysql://user:password@one,two/name`.
        primary_url: Where the primary is.
        primary: The engine on it.
        connect_timeout_s: How long opening a connection may take: short, because there is another server to ask.
        aside_s: How long a replica that failed or lagged isn't tried.

    Returns:
        The engine; nobody may write with it.

    Raises:
        BadDatabaseUrl: One of the URLs isn't a MySQL's or MariaDB's.
    """
    if primary.dialect.name == "sqlite" or not url.startswith(("mysql", "mariadb")):
        raise BadDatabaseUrl("only MySQL and MariaDB have replicas to read from")
    return make_engine(
        url=url,
        fallback_url=primary_url,
        is_current=Following(primary),
        connect_timeout_s=connect_timeout_s,
        aside_s=aside_s,
    )
