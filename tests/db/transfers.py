"""What tests of backups and copies share: a database with a bit of everything, and what one holds."""

from __future__ import annotations

from sqlalchemy.engine import Engine

from db.alert_rows import Changes, DeliveryRow, HistoryRow, Setting, StateRow
from db.alert_tables import AlertTables
from db.job_rollups import JobRollups
from db.portable import Checksum, read_chunks, snapshot, tables_of
from db.rollups import Rollups
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, report, run, scrape, told

ALERT_SETTINGS: tuple[Setting, ...] = ("rules", "silences", "channels", "schedules")


def quiet(_label: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


def fill(engine: Engine, rows: int = 40) -> None:
    """Store what a database may hold: both kinds, runs, odd texts, rollups of several days."""
    store = Store(engine, clock_ms=lambda: NOON_MS)
    for number in range(rows):
        at_ms = NOON_MS + number // 4 * 14_400_000 + number % 4 * 30_000  # what is added up costs by its spans
        store.send(
            batch(
                navigation(f"s{number % 3}", at_ms, navigation_duration_ms=0.1 + number / 3, labels={"a": "ä"}),
                scrape(
                    "Ünïcode 🦊", at_ms, success=False, error="näh 🦊\nline \\ ' \" %s", fields={"prîce": number % 6}
                ),
                run(at_ms=at_ms),
                runs=(told(f"run-🦊-{number // 9}", at_ms, error=None if number % 9 else "näh"),),
            )
        )
    store.report(report())
    _alert(engine)
    Rollups(engine).run_once()
    JobRollups(engine).run_once()


def _alert(engine: Engine) -> None:
    tables = AlertTables(engine, clock_ms=lambda: NOON_MS)
    numbers = range(7)  # as many as a chunk has where tests make them small
    for which in ALERT_SETTINGS:
        secret = "pässword" if which == "channels" else None
        documents = {f"ops-{number}": {"name": "Öps 🦊", "n": 0.1} for number in numbers}
        tables.settings.put_all(which, documents, by="ana", secret=secret)
    lease = tables.lease(7, length_s=15)
    assert lease.take()
    facts = {"facts": {"a": "ä"}}
    states = tuple(StateRow("low", f"Ünï 🦊 {n}", "firing", NOON_MS, NOON_MS, 1 / 3, facts) for n in numbers)
    happened = tuple(HistoryRow(NOON_MS, "low", state.key, "firing", {"value": 1 / 3}) for state in states)
    delivery = DeliveryRow(NOON_MS, "ops", "low", "g", "firing", {"what": "firing"})
    tables.store.write(lease, Changes(states, (), happened, (delivery,) * len(numbers)), evaluated_at_ms=NOON_MS)


def content(engine: Engine) -> dict[str, tuple[int, str]]:
    """Return rows and checksum of every table."""
    found = {}
    with snapshot(engine) as connection:
        for table in tables_of(connection):
            checksum = Checksum()
            for rows in read_chunks(connection, table):
                checksum.add(rows)
            found[table.name] = (checksum.rows, checksum.hex())
    return found
