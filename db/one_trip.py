"""Several statements that go to MySQL/MariaDB in one message: the first that fails ends it, the rest isn't done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymysql.constants.CLIENT import MULTI_STATEMENTS
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

_FIRST_IDS = "first_ids"  # an execution option: where they are put


def allow(engine: Engine) -> None:
    """Let an engine's connections take several statements at a time, which `execute_together` needs.

    Nothing that comes from outside is ever a statement's text: values are bound, or escaped by the driver.

    Args:
        engine: An engine of MySQL/MariaDB.
    """

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: object, _record: object, _arguments: object, parameters: dict[str, Any]) -> None:
        parameters |= allowing(parameters)

    @event.listens_for(engine, "do_execute_no_params")
    def _execute(cursor: Any, statement: str, context: Any) -> bool:
        first_ids = context.execution_options.get(_FIRST_IDS)
        if first_ids is None:
            return False  # one statement, as always
        cursor.execute(statement)
        first_ids.append(cursor.lastrowid)
        while cursor.nextset():
            first_ids.append(cursor.lastrowid)
        return True


def allowing(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the driver's `connect` needs for it.

    Args:
        parameters: What it needs anyway.
    """
    return {**parameters, "client_flag": parameters.get("client_flag", 0) | MULTI_STATEMENTS}


def is_allowed(connection: Connection) -> bool:
    """Say whether this connection and its server take several statements at a time.

    Args:
        connection: An open connection.
    """
    driver: Any = connection.connection.driver_connection
    return bool(driver.client_flag & driver.server_capabilities & MULTI_STATEMENTS)


def execute_together(connection: Connection, statements: Sequence[str], first_ids: list[int]) -> None:
    """Execute statements that take no parameters, one after the other, for one round trip.

    Args:
        connection: An open transaction on MySQL/MariaDB for which `is_allowed`.
        statements: Each with all its values in it.
        first_ids: Gets the first id that each statement gave, 0 where it gave none; when one fails, it has as many as
            were done before that one.

    Raises:
        sqlalchemy.exc.DBAPIError: What the driver raised for the first that failed.
    """
    options = {"no_parameters": True, _FIRST_IDS: first_ids}
    connection.exec_driver_sql(";".join(statements), execution_options=options)
