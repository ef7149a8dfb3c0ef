"""The plain ways in that the store is measured against: they write the very same rows, however they begin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from bench.storage import ingest
from bench.storage.databases import BenchMariaDB, Database, MariaDB, Sqlite
from bench.storage.fleet import Fleet
from db.engine import opened
from db.migrate import upgrade
from db.rows import PAGE_COLUMNS, PAGE_TABLE
from tests.servers import PrivateMariaDB

END_MS = 1_795_278_840_000


@pytest.fixture(params=["sqlite", "mariadb"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty one, migrated."""
    made: Database = Sqlite(tmp_path / "plain.db")
    if request.param == "mariadb":
        server: BenchMariaDB = request.getfixturevalue("mariadb")
        server.execute("DROP DATABASE IF EXISTS plain_ways")
        made = MariaDB(server, "plain_ways")
    with opened(made.url) as engine:
        upgrade(engine)
    return made


@pytest.fixture(scope="module", autouse=True)
def clean(mariadb: PrivateMariaDB) -> Any:
    """Leave nothing on the server."""
    yield
    mariadb.execute("DROP DATABASE IF EXISTS plain_ways")


def test_each_plain_way_writes_every_row_once(database: Database) -> None:
    fleet = Fleet(1_000, END_MS)
    batches = [fleet.landing(np.random.default_rng(number), 20, END_MS - 60_000, END_MS) for number in range(5)]
    wanted = sorted(map(repr, [row for batch in batches for row in batch.tuples()]))
    for connections, ready in ((1, True), (2, False)):
        with database.plain_way(batches, connections, ready=ready) as write, opened(database.url) as engine:
            with engine.connect() as connection:
                assert connection.scalar(text(f"SELECT COUNT(*) FROM {PAGE_TABLE}")) == 0
            write()
            with engine.begin() as connection:
                found = connection.execute(text(f"SELECT {', '.join(PAGE_COLUMNS)} FROM {PAGE_TABLE}")).all()
                connection.execute(text(f"DELETE FROM {PAGE_TABLE}"))
        assert sorted(repr(tuple(row)) for row in found) == wanted


def test_the_report_names_both_yardsticks_for_each_number_of_senders(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "make", lambda _: None)
    monkeypatch.setattr(ingest, "_BATCHES", {10: 4})
    monkeypatch.setattr(ingest, "_ROUNDS", 1)
    report = ingest.measure_ingest(database, Fleet(1_000, END_MS))
    found = report["batches_of_10"]
    for one in (found, found["2_senders"], found["4_senders"]):
        assert {"store_to_floor", "store_to_same_start", "same_start_rows_per_s", "work"} <= set(one)
    assert "store_with_listeners_to_floor" in found
    with opened(database.url) as engine, engine.connect() as connection:
        assert connection.scalar(text(f"SELECT COUNT(*) FROM {PAGE_TABLE}")) == 10 * 4 * (4 + 3 + 3)
