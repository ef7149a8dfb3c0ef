"""Which of several processes evaluates the alert rules: a lease in the database that its holder has to renew.

A lock that goes with a connection (`db.alone`) outlives a machine that vanishes: the server notices that after hours. A
lease runs out by the database's own clock, whatever became of its holder; and since everything an evaluation writes is
written in a transaction that holds the lease's row, one who lost it without noticing writes nothing.
"""

from __future__ import annotations

from sqlalchemy import select, text
from sqlalchemy.engine import Connection, Engine

from db.clock import now_ms
from db.engine import begin_writing
from db.errors import unavailable_as_ours
from db.models import RollupState
from db.state import ALERT_EVALUATOR, ALERT_LEASE_MS, ALERTS_EVALUATED_MS, read_state, write_state


class LeaseLost(Exception):  # noqa: N818 - it names what happened
    """Another process evaluates now; nothing was written."""


class AlertLease:
    """A process' part in who evaluates.

    Args:
        engine: A migrated database.
        holder: A number that stands for this process, above 0.
        length_s: For how long nobody else may evaluate after the holder was last heard of.
    """

    def __init__(self, engine: Engine, holder: int, *, length_s: float = 15.0) -> None:
        self._engine = engine
        self.holder = holder
        self._length_ms = int(length_s * 1000)

    def take(self) -> bool:
        """Take the lease if it is free, or renew it; says whether this process holds it now.

        Raises:
            DatabaseUnavailable: The database can't be asked.
        """
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            if not self._free(connection, *_read(connection)):  # without a lock: most of the time it is another's
                return False
        with unavailable_as_ours(self._engine), begin_writing(self._engine) as connection:
            holder, until_ms = _held(connection)
            if not self._free(connection, holder, until_ms):
                return False
            if holder != self.holder:
                write_state(connection, ALERT_EVALUATOR, self.holder)
            write_state(connection, ALERT_LEASE_MS, _clock_ms(connection) + self._length_ms)
        return True

    def hold(self, connection: Connection, evaluated_at_ms: int) -> None:
        """Make sure that what is written in a transaction is written by the holder, and renew the lease with it.

        Args:
            connection: A writing transaction; the lease's row is held until it ends.
            evaluated_at_ms: The moment of the evaluation, epoch ms.

        Raises:
            LeaseLost: Another process holds the lease.
        """
        holder, _ = _held(connection)
        if holder != self.holder:
            raise LeaseLost("another process evaluates the alert rules")
        write_state(connection, ALERT_LEASE_MS, _clock_ms(connection) + self._length_ms)
        write_state(connection, ALERTS_EVALUATED_MS, evaluated_at_ms)

    def give_up(self) -> None:
        """Let another process take the lease at once, if this one has it.

        Raises:
            DatabaseUnavailable: The database can't be asked.
        """
        with unavailable_as_ours(self._engine), begin_writing(self._engine) as connection:
            if _held(connection)[0] == self.holder:
                write_state(connection, ALERT_LEASE_MS, 0)

    def evaluated_ms(self) -> int | None:
        """Return the moment of the last evaluation by any process, epoch ms; None when there never was one."""
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            return read_state(connection).get(ALERTS_EVALUATED_MS)

    def _free(self, connection: Connection, holder: int, until_ms: int) -> bool:
        # A lease that ends far in the future was written before the clock was set back.
        left_ms = until_ms - _clock_ms(connection)
        return holder == self.holder or not 0 < left_ms <= 2 * self._length_ms


def _read(connection: Connection) -> tuple[int, int]:
    state = read_state(connection)
    return state.get(ALERT_EVALUATOR, 0), state.get(ALERT_LEASE_MS, 0)


def _held(connection: Connection) -> tuple[int, int]:
    """Read (holder, until) and keep everyone else from changing it until the transaction ends."""
    if connection.dialect.name == "sqlite":  # nobody else can write anyway
        return _read(connection)
    # A row that isn't there can't be held.
    connection.execute(
        text("INSERT IGNORE INTO rollup_state (name, value) VALUES (:name, 0)"), {"name": ALERT_EVALUATOR}
    )
    holder = connection.scalar(select(RollupState.value).where(RollupState.name == ALERT_EVALUATOR).with_for_update())
    return holder or 0, read_state(connection).get(ALERT_LEASE_MS, 0)


def _clock_ms(connection: Connection) -> int:
    """Return the present by the one clock that all processes share, epoch ms."""
    if connection.dialect.name == "sqlite":  # a file of this machine
        return now_ms()
    return int(connection.execute(text("SELECT UNIX_TIMESTAMP(SYSDATE(3)) * 1000")).scalar_one())
