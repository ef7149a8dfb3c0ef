"""Table options that every migration shares, so that text means the same on every server."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection


def table_options(connection: Connection) -> dict[str, Any]:
    """Return the keyword arguments for `op.create_table`.

    On SQLite 'A' differs from 'a' and 'x' from 'x '. The default collations of MySQL and MariaDB disagree, and what
    doesn't pad has another name on each of them.

    Args:
        connection: The connection that is being migrated.

    Returns:
        InnoDB, utf8mb4 and a binary collation without padding on MySQL/MariaDB; nothing on SQLite.
    """
    if connection.dialect.name == "sqlite":
        return {}
    collations = set(connection.exec_driver_sql("SHOW COLLATION WHERE Charset = 'utf8mb4'").scalars())
    wanted = ("utf8mb4_nopad_bin", "utf8mb4_0900_bin", "utf8mb4_bin")
    collation = next(name for name in wanted if name in collations)
    return {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": collation}
