"""Put everything into one portable file while the program runs, and bring it back into any database."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from db.backup_file import BackupReader, Header, write_backup
from db.clock import now_ms
from db.engine import begin_writing
from db.errors import BadBackup, TransferRefused, unavailable_as_ours, where_is
from db.migrate import check, current_revision, known_revisions, upgrade
from db.models import Base
from db.portable import Checksum, PortableTable, Report, count_rows, is_empty, read_chunks, snapshot, tables_of
from db.rows import insert_many
from db.unfinished import mark, marked, refuse_unfinished, unmark


def backup(engine: Engine, path: Path, report: Report) -> int:
    """Write all tables, as they are at one moment, into a file.

    Args:
        engine: Any database of ours, of this or an older schema; the program may go on storing.
        path: The file; it is replaced when everything is written.
        report: Told how far it is.

    Returns:
        Number of rows written.

    Raises:
        BadBackup: The file can't be written.
        TransferRefused: There is nothing of ours in the database, or it is unfinished.
        DatabaseUnavailable: The database can't be reached.
    """
    check(engine)
    refuse_unfinished(engine)
    revision = current_revision(engine)
    if revision is None:
        raise TransferRefused(where_is(engine), "has no tables of Scrapeboard: nothing to back up")
    with write_backup(path) as writer, unavailable_as_ours(engine), snapshot(engine) as connection:
        tables = tables_of(connection)
        counts = {table.name: count_rows(connection, table) for table in tables}
        writer.header(Header(revision, now_ms(), {table.name: list(table.columns) for table in tables}, counts))
        for table in tables:
            done = 0
            for rows in read_chunks(connection, table):
                writer.rows(table.name, rows)
                done += len(rows)
                report(table.name, done, counts[table.name])
        return sum(writer.end().values())


def restore(engine: Engine, path: Path, report: Report, *, replace: bool = False) -> int:
    """Fill a database from a backup, and bring it to the newest schema.

    The file is read and checked as a whole before anything is changed. While tables are filled, the database carries a
    mark that keeps the program from starting on half of the content; after a crash, the same command with `replace`
    begins anew.

    Args:
        engine: An empty database, or any with `replace`. No program may be using it.
        path: The file.
        report: Told how far it is.
        replace: Drop what is there.

    Returns:
        Number of rows restored, each compared by checksum after it was stored.

    Raises:
        BadBackup: The file is damaged, cut off, or newer than this program; nothing was changed.
        TransferRefused: The database holds something, or holds something else than the file afterwards.
        DatabaseUnavailable: The database can't be reached.
    """
    header, sums = _checked(path, report)
    check(engine)
    with unavailable_as_ours(engine), begin_writing(engine) as connection:
        unfinished = marked(connection)
        if not replace and unfinished is not None:
            raise TransferRefused(where_is(engine), f"is unfinished: {unfinished}")
        if not replace and not is_empty(connection):
            raise TransferRefused(where_is(engine), "is not empty: give --replace to drop what is in it")
        mark(connection, f"a restore of {path} was cut off; run `python app.py restore {path} --replace`")
        Base.metadata.drop_all(connection)
        connection.execute(sa.text("DROP TABLE IF EXISTS alembic_version"))
    upgrade(engine, header.schema)
    with unavailable_as_ours(engine):
        tables = _tables_for(engine, path, header)
        _fill(engine, path, header, tables, report)
        _compare(engine, header, tables, sums, report)
    upgrade(engine)
    unmark(engine)
    return sum(found.rows for found in sums.values())


def _checked(path: Path, report: Report) -> tuple[Header, dict[str, Checksum]]:
    reader = BackupReader(path)
    try:
        header = reader.header
        if header.schema not in known_revisions():
            newer = f"has schema {header.schema}, newer than this program's {known_revisions()[0]}; use a newer program"
            raise BadBackup(str(path), newer)
        done = dict.fromkeys(header.columns, 0)
        for name, rows in reader.rows():
            done[name] += len(rows)
            report(f"checking {name}", done[name], header.rows.get(name, 0))
        return header, reader.sums
    finally:
        reader.close()


def _tables_for(engine: Engine, path: Path, header: Header) -> dict[str, PortableTable]:
    """Return the tables as the file has them, after making sure that the database has all their columns."""
    with engine.connect() as connection:
        known = {table.name: table for table in tables_of(connection)}
    tables = {}
    for name, columns in header.columns.items():
        found = known.get(name)
        if found is None or not set(columns) <= set(found.columns) or not set(found.key) <= set(columns):
            raise BadBackup(str(path), f"can't be used, its table {name} isn't that of schema {header.schema}")
        moments = frozenset(columns.index(found.columns[index]) for index in found.moments)
        tables[name] = PortableTable(name, tuple(columns), found.key, moments)
    return tables


def _fill(engine: Engine, path: Path, header: Header, tables: dict[str, PortableTable], report: Report) -> None:
    reader = BackupReader(path)
    try:
        done = dict.fromkeys(tables, 0)
        for name, rows in reader.rows():
            with begin_writing(engine) as connection:
                insert_many(connection, name, tables[name].columns, rows)
            done[name] += len(rows)
            report(f"restoring {name}", done[name], header.rows.get(name, 0))
    finally:
        reader.close()


def _compare(
    engine: Engine, header: Header, tables: dict[str, PortableTable], sums: dict[str, Checksum], report: Report
) -> None:
    with snapshot(engine) as connection:
        for name, table in tables.items():
            found = Checksum()
            for rows in read_chunks(connection, table):
                found.add(rows)
                report(f"comparing {name}", found.rows, header.rows.get(name, 0))
            if found != sums[name]:
                raise TransferRefused(
                    where_is(engine),
                    f"holds other rows in {name} than the backup ({found.rows:,} and {sums[name].rows:,}, or other "
                    "values): is a program using it? Stop it, then restore with --replace",
                )
