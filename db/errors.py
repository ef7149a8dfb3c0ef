"""The package's errors, one tree, and the one place where a driver's error becomes one of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc as sa_exc
from sqlalchemy.engine import Engine


class DatabaseError(Exception):
    """Base of everything that `db` raises; its text is one line that says what to do."""


_FULL = ("is full", "no space left", "disk full", "no more room")
_READ_ONLY = ("read-only", "readonly")
# What to do, by what the driver said; the last one fits whatever else it says.
_ADVICE = (
    (_FULL, "make room where it keeps its data"),
    (_READ_ONLY, "let the database URL lead to a server (or file) that may be written"),
    (("too many connections",), "let it take more connections, or end others that use it"),
    (("",), "check that it runs and that the database URL is right"),
)


class DatabaseUnavailable(DatabaseError):  # noqa: N818 - the name is public interface
    """The database can't be asked at the moment (stopped, unreachable, refusing, out of connections).

    Args:
        where: The database without its password, `mysql://scraper@db.example.org:3306/metrics`.
        reason: What the driver said, in one line.
    """

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        advice = next(advice for said, advice in _ADVICE if any(words in reason.lower() for words in said))
        super().__init__(f"database {where} unavailable: {reason}; {advice}")


class NotAddedUpYet(DatabaseError):  # noqa: N818 - it says what happened
    """Single metrics of a span are deleted already, and its totals are still being checked; in a minute they aren't.

    Args:
        since_ms: What is younger can be told, epoch ms.
    """

    def __init__(self, since_ms: int) -> None:
        self.since_ms = since_ms
        since = dt.datetime.fromtimestamp(since_ms / 1000, dt.UTC)
        super().__init__(f"totals before {since:%Y-%m-%d %H:%M} UTC are still being added up; try again in a minute")


class ChangedMeanwhile(DatabaseError):  # noqa: N818 - it says what happened
    """Something was to be written over what somebody else has changed since it was read.

    Args:
        at_ms: When, epoch ms; 0 when it isn't there any more.
        by: Who did it, as far as that is known.
    """

    def __init__(self, at_ms: int, by: str) -> None:
        self.at_ms = at_ms
        self.by = by
        super().__init__("somebody else changed it since it was read; read it again")


class BadDatabaseUrl(DatabaseError, ValueError):  # noqa: N818
    """The database URL names something that can't be used.

    Args:
        reason: What is wrong with it, in one line, without the URL (it may hold a password).
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}; use sqlite:///path/to/file.db or mysql://user:password@host:3306/name")


class SchemaTooNew(DatabaseError):  # noqa: N818
    """The database was migrated by a newer program than this one.

    Args:
        where: The database without its password.
        revision: The revision found there, unknown to this program.
        known: The newest revision that this program knows.
    """

    def __init__(self, where: str, revision: str, known: str) -> None:
        self.where = where
        self.revision = revision
        self.known = known
        super().__init__(
            f"database {where} has schema {revision}, newer than this program's {known}; "
            "start a newer Scrapeboard or use another database"
        )


class MigrationFailed(DatabaseError):  # noqa: N818
    """The schema could not be brought up to date.

    Args:
        where: The database without its password.
        reason: What stopped it, in one line.
    """

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(
            f"could not migrate database {where}: {reason}; nothing else was changed, try again after fixing it"
        )


class BadBackup(DatabaseError):  # noqa: N818
    """A backup file can't be written or used.

    Args:
        path: The file.
        reason: What is wrong with it, in one line.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"backup {path}: {reason}")


class TransferRefused(DatabaseError):  # noqa: N818
    """A database is not in the state that a copy, a restore or a start needs.

    Args:
        where: The database without its password.
        reason: Why, and what to do.
    """

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(f"database {where} {reason}")


def where_is(engine: Engine) -> str:
    """Return the database's URL for people: without driver name, its password as stars.

    Args:
        engine: Any engine.

    Returns:
        For instance `sqlite:///data/scrapeboard.db` or `mysql://scraper:***@127.0.0.1:3306/metrics`.
    """
    return engine.url.set(drivername=engine.url.get_backend_name(), query={}, password=None).render_as_string()


def one_line(error: BaseException) -> str:
    """Return what a driver said, in one line and without the statement that SQLAlchemy appends.

    Args:
        error: An exception of SQLAlchemy or of a driver.

    Returns:
        The driver's own words, at most 300 characters.
    """
    original = getattr(error, "orig", None) or error
    args = original.args
    # PyMySQL's errors are (code, text); everything else says itself.
    text = f"{args[1]} ({args[0]})" if len(args) == 2 and isinstance(args[0], int) else str(original)
    return " ".join(text.split())[:300] or type(original).__name__


def takes_no_writes(reason: str) -> bool:
    """Say whether a database that refused something can still be read: it is full or read-only.

    Args:
        reason: What the driver said.
    """
    return any(words in reason.lower() for words in (*_FULL, *_READ_ONLY))


# What says "the database can't be asked now" rather than "the question is wrong".
UNAVAILABLE = (sa_exc.OperationalError, sa_exc.InterfaceError, sa_exc.InternalError, sa_exc.TimeoutError, OSError)


@contextmanager
def unavailable_as_ours(engine: Engine) -> Iterator[None]:
    """Turn connection trouble inside the block into DatabaseUnavailable.

    Args:
        engine: The engine that the block uses.

    Raises:
        DatabaseUnavailable: The database was unreachable, refused, timed out or lost the connection.
    """
    try:
        yield
    except UNAVAILABLE as exc:
        raise DatabaseUnavailable(where_is(engine), one_line(exc)) from exc
    except sa_exc.DBAPIError as exc:
        if not exc.connection_invalidated:
            raise
        raise DatabaseUnavailable(where_is(engine), one_line(exc)) from exc
