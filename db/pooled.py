"""What a pooled connection to MySQL/MariaDB is asked before and after its use: no more than isn't known already.

A batch of a hundred rows is answered in a millisecond. The pool's own ping before it and its rollback after it would be
a third of what goes back and forth for it.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Any

from pymysql.constants.SERVER_STATUS import SERVER_STATUS_IN_TRANS
from sqlalchemy import event
from sqlalchemy import exc as sa_exc
from sqlalchemy.engine import Engine

# So long after its last answer, a connection may have been lost without a word (a host that lost its power, a firewall
# that forgot it); before that, a server or proxy that ends it says so, and the socket has something to read.
_FRESH_S = 5.0
_LEFT_S, _ERRED = "left_s", "erred"  # in a pooled connection's own notes


def spare_round_trips(engine: Engine, *, clock_s: Callable[[], float] = time.monotonic) -> None:
    """Look at connections that come from the pool and go back to it; made without the pool's own ping and reset.

    Args:
        engine: An engine of MySQL/MariaDB with `pool_pre_ping=False` and `pool_reset_on_return=None`.
        clock_s: Seconds of a clock that never goes back.
    """
    dialect: Any = engine.dialect

    @event.listens_for(engine, "checkout")
    def _look(connection: Any, record: Any, _proxy: object) -> None:
        left_s = record.info.get(_LEFT_S)
        if left_s is None or (clock_s() - left_s < _FRESH_S and _is_silent(connection)):
            return
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as exc:
            # A server that was restarted meanwhile costs a reconnect, not an error; all the others are gone too.
            raise sa_exc.InvalidatePoolError from exc

    @event.listens_for(engine, "handle_error")
    def _note(context: Any) -> None:
        if context.connection is not None and not context.connection.closed:
            context.connection.info[_ERRED] = True

    @event.listens_for(engine, "reset")
    def _reset(connection: Any, record: Any, state: Any) -> None:
        # An error's answer doesn't say whether a transaction is open; every other one does.
        erred = record is None or record.info.pop(_ERRED, False)
        if not state.transaction_was_reset and (erred or connection.server_status & SERVER_STATUS_IN_TRANS):
            dialect.do_rollback(connection)

    @event.listens_for(engine, "checkin")
    def _leave(_connection: Any, record: Any) -> None:
        record.info[_LEFT_S] = clock_s()


def _is_silent(connection: Any) -> bool:
    """Say whether nothing came since the last answer: neither a last word of the server's nor the connection's end."""
    socket = getattr(connection, "_sock", None)  # the driver's own, which has no other name
    if socket is None or not hasattr(select, "poll"):
        return False
    asked = select.poll()
    asked.register(socket, select.POLLIN)
    return not asked.poll(0)
