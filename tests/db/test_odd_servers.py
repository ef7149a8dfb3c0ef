"""MariaDB servers that an administrator set up in other ways: the same metrics leave the same rows on each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DataError

from db.engine import begin_writing, make_engine
from db.migrate import upgrade
from db.rollups import Rollups
from db.rows import insert_many
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, run, scrape
from tests.db.transfers import content, fill
from tests.servers import PrivateMariaDB

Content: TypeAlias = dict[str, tuple[int, str]]  # table -> rows and their checksum
ODD = {
    "lax, in Tokyo, latin1": (
        ["--sql-mode=", "--default-time-zone=+09:00", "--character-set-server=latin1"],
        None,
    ),
    # Of a machine whose clocks go forward and back, in the old days of SQL.
    "ANSI, in Berlin, no backslashes": (
        ["--sql-mode=ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,STRICT_ALL_TABLES"],
        "CET-1CEST,M3.5.0,M10.5.0/3",
    ),
    "strict, small packets, in New York": (
        ["--sql-mode=TRADITIONAL", "--max-allowed-packet=1M", "--character-set-server=utf8mb3"],
        "EST5EDT,M3.2.0,M11.1.0",
    ),
}  # fmt: skip
TABLES = (
    "scraper_page_performance", "scheduler_metrics", "scraper_metrics_minute", "scraper_metrics_hourly",
    "scraper_daily_summary",
)  # fmt: skip
TEXTS = [
    "🕸️ 4-byte", "it's \\ \"quoted\" `x` %s %(x)s ? :name", "\\' OR 1=1 -- ", "ends with \\", "\\\\'", "''",
    "tab\tnew\nline\r\n", "\x1a\x01\x7f", "日本語", " padded ", "%", "café", "a" * 4000, "💥" * 4000, "'" * 4000,
    "\\" * 4000,
]  # fmt: skip
# Where clocks go forward in Europe and in America in 2024, and back.
CHANGES_MS = (1_711_846_800_000, 1_729_990_800_000, 1_710_054_000_000, 1_730_613_600_000)


pytestmark = pytest.mark.xdist_group("odd-servers")  # each server is started once


@pytest.fixture(scope="module", params=list(ODD))
def odd_server(request: pytest.FixtureRequest) -> Iterator[PrivateMariaDB]:
    """A server of each kind."""
    options, time_zone = ODD[request.param]
    with PrivateMariaDB(options=options, time_zone=time_zone) as server:
        yield server


@pytest.fixture
def odd(odd_server: PrivateMariaDB) -> Iterator[Engine]:
    """An engine on an empty, migrated database of that server."""
    odd_server.execute("DROP DATABASE IF EXISTS metrics", "CREATE DATABASE metrics")
    engine = make_engine(url=odd_server.url("metrics"))
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> Content:
    """What the same metrics leave on SQLite, to compare with."""
    engine = make_engine(url=f"sqlite:///{tmp_path_factory.mktemp('plain') / 'metrics.db'}")
    upgrade(engine)
    found = left_by_metrics(engine)
    engine.dispose()
    return found


def left_by_metrics(engine: Engine) -> Content:
    fill(engine)
    store = Store(engine, clock_ms=lambda: NOON_MS)
    for moment_ms in CHANGES_MS:
        for quarter in range(-8, 8):
            at_ms = moment_ms + quarter * 900_000
            store.send(batch(navigation("ö🦊", at_ms), scrape("'\\", at_ms), run("🕷'\\", at_ms)))
    Rollups(engine).run_once()
    return content(engine)


def test_same_metrics_leave_the_same_rows_and_rollups(odd: Engine, wanted: Content) -> None:
    found = left_by_metrics(odd)
    assert {name: found[name] for name in TABLES} == {name: wanted[name] for name in TABLES}


def test_hours_are_written_in_utc(odd: Engine) -> None:
    store = Store(odd)
    store.send(batch(*(navigation(at_ms=moment_ms) for moment_ms in CHANGES_MS)))
    Rollups(odd).run_once()
    with odd.connect() as connection:
        hours = connection.execute(text("SELECT hour_start_ms, CAST(hour_utc AS CHAR) FROM scraper_metrics_hourly"))
        assert sorted(map(tuple, hours)) == [
            (1_710_054_000_000, "2024-03-10 07:00:00"), (1_711_846_800_000, "2024-03-31 01:00:00"),
            (1_729_990_800_000, "2024-10-27 01:00:00"), (1_730_613_600_000, "2024-11-03 06:00:00"),
        ]  # fmt: skip
        days = connection.scalars(text("SELECT CAST(metric_date AS CHAR) FROM scraper_daily_summary ORDER BY 1"))
        assert list(days) == ["2024-03-10", "2024-03-31", "2024-10-27", "2024-11-03"]


def test_every_text_is_kept_to_the_letter(odd: Engine) -> None:
    store = Store(odd)
    many = [
        navigation(url="https://a/" + said[:2000], error=said, success=False, labels={"k": said[:200]})
        for said in TEXTS
    ]
    assert store.send(batch(*many)).accepted == len(TEXTS)
    # The other way in, one row after the other, is taken when one of them doesn't fit.
    mixed = [*many, navigation(navigation_duration_ms=float("nan"))]
    assert store.send(batch(*mixed)).accepted == len(TEXTS)
    with odd.connect() as connection:
        found = connection.execute(text("SELECT error, page_url FROM scraper_page_performance ORDER BY id")).all()
    assert [row[0] for row in found] == TEXTS * 2
    assert [row[1] for row in found] == [f"https://a/{said[:2000]}" for said in TEXTS] * 2


def test_value_that_is_too_long_is_an_error_and_never_cut(odd: Engine) -> None:
    for column, most in (("scheduler_name", 50), ("run_id", 64)):
        row = {"scheduler_name": "n", "execution_duration_ms": 1.0, "items_processed": 1, "success": 1, "created_at": 1}
        row[column] = "é" * (most + 1)
        with pytest.raises(DataError, match="too long"), begin_writing(odd) as connection:
            insert_many(connection, "scheduler_metrics", tuple(row), [tuple(row.values())])
    with pytest.raises(DataError, match=r"[Oo]ut of range"), begin_writing(odd) as connection:
        connection.execute(text("INSERT INTO rollup_state VALUES ('x', 9223372036854775808)"))
    with odd.connect() as connection:
        assert connection.scalar(text("SELECT COUNT(*) FROM scheduler_metrics")) == 0


def test_batch_of_eight_mebibytes_is_stored_whole(odd: Engine) -> None:
    store = Store(odd)
    errors = ["💥" * 4000, "'" * 4000, "\\" * 4000, "ab" * 2000]
    many = [navigation(url=f"https://a/{number}/", error=errors[number % 4], success=False) for number in range(1000)]
    assert store.send(batch(*many)).accepted == 1000
    with odd.connect() as connection:
        found = connection.execute(
            text("SELECT error, COUNT(*), COUNT(DISTINCT page_url) FROM scraper_page_performance GROUP BY 1")
        )
        assert sorted(map(tuple, found)) == sorted((error, 250, 250) for error in errors)


def test_rollups_of_many_sources_fit_through(odd: Engine) -> None:
    store, durations = Store(odd), [1.04**step for step in range(400)]
    store.send(batch(*(
        navigation(f"source{number % 800}", navigation_duration_ms=durations[number // 40 % 400])
        for number in range(16_000)
    )))  # fmt: skip
    Rollups(odd).run_once()
    with odd.connect() as connection:
        for table in TABLES[2:]:
            assert connection.execute(text(f"SELECT COUNT(*), SUM(total_navigations) FROM {table}")).one() == (
                800,
                16_000,
            )
