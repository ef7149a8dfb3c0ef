"""The command line: `python app.py COMMAND`; what goes wrong is one line and exit code 1."""

from __future__ import annotations

import argparse
import datetime as dt
import logging
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import settings as settings_module
from db.backup import backup, restore
from db.clock import now_ms
from db.copying import copy
from db.engine import opened
from db.errors import DatabaseError, where_is
from db.maintenance import maintain, rebuild
from db.migrate import migrated
from db.offline import offline_queries
from db.retention import generate_daily_summary
from db.store import Store
from live.stream import RedisRefused, RedisStream
from settings import Settings, SettingsError
from web.address import check_address
from web.errors import AddressRefused, ExportRefused
from web.progress import Progress

if TYPE_CHECKING:
    from web.serve import Board


class UsageError(Exception):
    """The command line can't be read; one line that says why."""


class _Parser(argparse.ArgumentParser):
    """argparse, but a mistake is one line and not the whole usage."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and ending the program."""
        raise UsageError(f"{message} (see {self.prog} --help)")


def main(make: Callable[[Settings], Board], arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        make: Wires the program, for `run`.
        arguments: What stands behind `python app.py`; the process's own by default. No command means `run`.

    Returns:
        The exit code: 0, 1 after a line on standard error, 130 after Ctrl+C.
    """
    try:
        options = _parser(partial(_run, make)).parse_args(arguments)
        settings = settings_module.load()
        logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        logging.getLogger("alembic").setLevel(logging.WARNING)
        command: Callable[[Settings, argparse.Namespace], None] = options.command
        command(settings, options)
    except (UsageError, SettingsError, AddressRefused, DatabaseError, ExportRefused, RedisRefused) as exc:
        _say(f"scrapeboard: {exc}")
        return 1
    except KeyboardInterrupt:
        _say("scrapeboard: interrupted")
        return 130
    return 0


def _parser(run: Callable[[Settings, argparse.Namespace], None]) -> argparse.ArgumentParser:
    parser = _Parser(prog="python app.py", description="Scrapeboard watches web scrapers live.")
    parser.set_defaults(command=run)
    commands = parser.add_subparsers(metavar="COMMAND")

    def add(name: str, command: Callable[[Settings, argparse.Namespace], None], help: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        made.set_defaults(command=command)
        return made

    add("run", run, "migrate the database and serve (what no command does too)")
    add("migrate", _migrate, "bring the database's schema up to date")
    add("maintain", _maintain, "drop what is older than the retention, bring the summaries up to date")
    made = add("summarize", _summarize, "recompute the daily summary of one UTC day")
    made.add_argument("date", metavar="DATE", type=_date, help="the day, YYYY-MM-DD")
    made = add("rebuild-rollups", _rebuild, "recompute minutes, hours and days from the detail rows that are kept")
    made.add_argument("first", metavar="FROM", type=_date, help="the first UTC day, YYYY-MM-DD")
    made.add_argument("last", metavar="TO", type=_date, help="the last UTC day, YYYY-MM-DD")
    made = add("backup", _backup, "write everything into one file while the app runs")
    made.add_argument("file", metavar="FILE", type=Path, help="the file; it is replaced when the backup is complete")
    made = add("restore", _restore, "fill the database from a backup; stop the app before")
    made.add_argument("file", metavar="FILE", type=Path, help="what `backup` wrote, from any kind of database")
    made.add_argument("--replace", action="store_true", help="drop what is in the database")
    made = add("copy", _copy, "make another database equal to this one, while the app runs")
    made.add_argument("--to", metavar="DATABASE_URL", required=True, help="as in SCRAPEBOARD_DATABASE_URL")
    made.add_argument("--replace", action="store_true", help="whatever the other one holds; writes only what differs")
    made = add("export", _export, "write a chart, a table or a report into a file, as /api/export serves it")
    made.add_argument("name", metavar="NAME.FORMAT", help="for instance overview-events.csv or navigation-report.pdf")
    made.add_argument("--query", default="", help='the page\'s query string, for instance "from=now-24h&source=cnbc"')
    made.add_argument("-o", "--output", metavar="FILE", type=Path, help="the file; standard output without")
    return parser


def _run(make: Callable[[Settings], Board], settings: Settings, _options: argparse.Namespace) -> None:
    check_address(settings.host, settings.port)  # first: who listens there may use the database that is migrated next
    with migrated(settings.database_url):
        pass  # what is wrong with the database is said here, in one line, and not by the server's worker
    if settings.redis_url:
        RedisStream(settings.redis_url, name="").check()
    from web.serve import serve  # gunicorn is needed here only

    serve(settings, make)


def _migrate(settings: Settings, _options: argparse.Namespace) -> None:
    with migrated(settings.database_url):
        pass


def _maintain(settings: Settings, _options: argparse.Namespace) -> None:
    with migrated(settings.database_url) as engine, Progress() as progress:
        deleted = maintain(
            engine,
            settings.retention_days,
            present_ms=now_ms(),
            minute_days=settings.minute_retention_days,
            hour_days=settings.hour_retention_days,
            progress=progress,
        )
    if deleted is None:
        _say("another process maintains or backs up this database now: nothing was done")
    else:
        _say(f"{deleted:,} metrics had outlived their retention")


def _summarize(settings: Settings, options: argparse.Namespace) -> None:
    with migrated(settings.database_url) as engine:
        sources = generate_daily_summary(engine, options.date)
    _say(f"{options.date} has a summary of {sources} source{'' if sources == 1 else 's'}")


def _rebuild(settings: Settings, options: argparse.Namespace) -> None:
    if options.first > options.last:
        raise UsageError(f"FROM ({options.first}) must not be after TO ({options.last})")
    with migrated(settings.database_url) as engine, Progress() as progress:
        minutes = rebuild(engine, options.first, options.last, progress=progress)
    _say(f"{minutes} minute{'' if minutes == 1 else 's'} recomputed, with their hours and days")


def _backup(settings: Settings, options: argparse.Namespace) -> None:
    with opened(settings.database_url) as engine, Progress() as progress:
        rows = backup(engine, options.file, progress)
    _say(f"{options.file} holds {rows:,} rows, {options.file.stat().st_size:,} bytes")


def _restore(settings: Settings, options: argparse.Namespace) -> None:
    with opened(settings.database_url) as engine, Progress() as progress:
        rows = restore(engine, options.file, progress, replace=options.replace)
        where = where_is(engine)
    _say(f"database {where} holds the {rows:,} rows of {options.file}, compared by checksum")


def _copy(settings: Settings, options: argparse.Namespace) -> None:
    with migrated(settings.database_url) as source, opened(options.to) as target:
        with Progress() as progress:
            done = copy(source, target, progress, replace=options.replace)
        here, there = where_is(source), where_is(target)
    moment = dt.datetime.fromtimestamp(done.moment_ms / 1000, dt.UTC)
    _say(
        f"{there} holds the {done.rows:,} rows that {here} held at {moment:%H:%M:%S} UTC, compared by checksum; "
        f"{done.written:,} of them were written now"
    )
    if done.arrived:
        _say(
            f"{done.arrived:,} metrics have arrived since: to bring them over too, stop the app and run this again "
            "with --replace"
        )


def _export(settings: Settings, options: argparse.Namespace) -> None:
    from web.exporting import export  # nothing else needs the pages

    with migrated(settings.database_url) as engine, Progress() as progress:
        queries, store = offline_queries(engine), Store(engine)
        written = export(queries, store, settings.charts, options.name, options.query, options.output, progress)
    if options.output is not None:
        _say(f"{options.output} holds {written:,} bytes")


def _date(value: str) -> dt.date:
    try:
        return dt.date.fromisoformat(value)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{value!r} is no date like 2026-05-31") from exc


def _say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - the line that an operator gets
