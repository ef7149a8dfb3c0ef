"""Several servers behind one engine: which of them a connection goes to, and when to leave it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlalchemy import exc as sa_exc
from sqlalchemy.engine import Engine

_log = logging.getLogger(__name__)

# A Galera node that isn't part of the cluster's majority takes connections but answers hardly anything.
_NOT_READY = 1047
# What a primary says after another server has taken its place: MariaDB's number is that of every such option.
_READ_ONLY = {1290, 1836}

# Says whether a driver's connection may be used for reading now.
IsCurrent = Callable[[Any], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Host:
    """One server.

    Args:
        name: `host:port`, for people.
        parameters: What the driver's `connect` needs.
        checked: It may lag behind another one: it is asked before each use.
    """

    name: str
    parameters: dict[str, Any]
    checked: bool = False


class Hosts:
    """Servers in the order of preference; one that failed is left alone for a while.

    Args:
        hosts: The servers.
        driver: The DBAPI module.
        is_current: Asked of connections to `checked` servers.
        aside_s: How long a server that failed isn't tried, unless all others failed too.
        clock_s: Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        hosts: Sequence[Host],
        driver: Any,
        *,
        is_current: IsCurrent | None = None,
        aside_s: float = 5.0,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hosts = tuple(hosts)
        self._driver = driver
        self._is_current = is_current
        self._aside_s = aside_s
        self._clock_s = clock_s
        self._lock = threading.Lock()  # protects the two below
        self._aside_until_s: dict[Host, float] = {}
        self._why: dict[Host, str] = {}

    def connect(self) -> tuple[Host, Any]:
        """Connect to the first server that can be used.

        Returns:
            (the server, the driver's connection).

        Raises:
            Exception: The driver's error, of the last server that was tried, when none can be used.
        """
        failure: Exception | None = None
        for host in sorted(self._hosts, key=self._is_aside):  # stable: the order of preference otherwise
            try:
                connection = self._driver.connect(**host.parameters)
            except self._driver.Error as exc:
                failure = exc
                self.put_aside(host, str(exc))
                continue
            try:
                if self._is_ready(connection) and (not host.checked or self._asked(connection)):
                    with self._lock:
                        self._aside_until_s.pop(host, None)
                        self._why.pop(host, None)
                    return host, connection
                why = "it is behind" if host.checked else "it is not part of the cluster"
            except self._driver.Error as exc:
                why, failure = str(exc), exc
            connection.close()
            self.put_aside(host, why)
        names = ", ".join(host.name for host in self._hosts)
        said = f"; the last one said: {failure.args[-1]}" if failure is not None and failure.args else ""
        raise self._driver.OperationalError(2003, f"None of the servers {names} can be used{said}") from failure

    def may_stay(self, host: Host, connection: Any) -> bool:
        """Say whether a connection from the pool may be used once more.

        Args:
            host: Where it goes.
            connection: The driver's connection.
        """
        if not host.checked:  # who was sent to another server because of a lag goes back when that may be over
            return not any(other.checked and not self._is_aside(other) for other in self._hosts)
        try:
            current = self._asked(connection)
        except self._driver.Error:
            current = False
        if not current:
            self.put_aside(host, "it is behind")
        return current

    def put_aside(self, host: Host, why: str) -> None:
        """Don't try a server for a while.

        Args:
            host: Which one.
            why: For the log.
        """
        with self._lock:
            said, self._why[host] = self._why.get(host), why
            self._aside_until_s[host] = self._clock_s() + self._aside_s
        if said != why:  # a server that stays away for the same reason is told once
            _log.warning("database server %s is not used for now: %s", host.name, why)

    def _asked(self, connection: Any) -> bool:
        return self._is_current is None or self._is_current(connection)

    def _is_aside(self, host: Host) -> bool:
        with self._lock:
            return self._aside_until_s.get(host, 0.0) > self._clock_s()

    def _is_ready(self, connection: Any) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL VARIABLES LIKE 'wsrep_on'")
            row = cursor.fetchone()
            if row is None or row[1] != "ON":
                return True  # no cluster
            cursor.execute("SHOW STATUS LIKE 'wsrep_ready'")
            if cursor.fetchone() != ("wsrep_ready", "ON"):
                return False
            # Reads wait until this node has applied what any node had committed before.
            cursor.execute("SET SESSION wsrep_sync_wait = 1")
        return True


def attach(engine: Engine, hosts: Hosts) -> None:
    """Let an engine's connections go where `hosts` says.

    Args:
        engine: Made for any of them.
        hosts: The servers.
    """

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: object, record: Any, _arguments: object, _parameters: object) -> Any:
        host, connection = hosts.connect()
        record.info["host"], record.info["fresh"] = host, True
        return connection

    @event.listens_for(engine, "checkout")
    def _check(connection: Any, record: Any, _proxy: object) -> None:
        # What was just made was asked already; to refuse it too would use up the pool's second try.
        if not record.info.pop("fresh", False) and not hosts.may_stay(record.info["host"], connection):
            raise sa_exc.DisconnectionError

    @event.listens_for(engine, "handle_error")
    def _leave(context: Any) -> None:
        if getattr(context.original_exception, "args", ())[:1] == (_NOT_READY,):
            context.is_disconnect = True
        elif is_read_only(context.original_exception) and context.connection is not None:
            hosts.put_aside(context.connection.info["host"], "it is read-only")


def leave_read_only(engine: Engine) -> None:
    """Let an engine connect anew after a server said that it is read-only: its name may lead to another one by now.

    Args:
        engine: Any engine of MySQL/MariaDB.
    """

    @event.listens_for(engine, "handle_error")
    def _leave(context: Any) -> None:
        if is_read_only(context.original_exception):
            context.is_disconnect = True


def is_read_only(error: BaseException) -> bool:
    """Say whether a driver's error means that the server takes no writes from this user.

    Args:
        error: What the driver raised.
    """
    number, *said = (*error.args, None)
    return number in _READ_ONLY and "read" in str(said[0]).lower()


def split_hosts(url: str) -> list[str]:
    """Return one URL for each server that a URL names.

    Args:
        url: `mysql://user:password@one:3306,two:3306/name`; one server is fine, and so is any other URL.
    """
    scheme, separator, rest = url.partition("://")
    if not scheme.startswith(("mysql", "mariadb")):
        return [url]
    place, slash, name = rest.partition("/")
    user, at, hosts = place.rpartition("@")
    return [f"{scheme}{separator}{user}{at}{host.strip()}{slash}{name}" for host in hosts.split(",")]
