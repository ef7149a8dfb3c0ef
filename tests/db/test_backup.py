"""Backup and restore: everything of one moment, into any database, and never from a file that isn't whole."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from backports import zstd
from sqlalchemy import text
from sqlalchemy.engine import Engine

from collector.errors import SinkUnavailable
from db import portable
from db.alone import alone
from db.backup import backup, restore
from db.backup_file import BackupReader
from db.engine import begin_writing, make_engine
from db.errors import BadBackup, TransferRefused
from db.maintenance import maintain
from db.migrate import current_revision, known_revisions, migrated, upgrade
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, run, scrape
from tests.db.transfers import content, fill, quiet
from tests.servers import PrivateMariaDB


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portable, "CHUNK_ROWS", 7)


def test_restored_database_equals_the_one_that_was_backed_up(engine: Engine, other: Engine, tmp_path: Path) -> None:
    fill(engine)
    before = content(engine)
    assert all(rows > 0 for rows, _ in before.values())
    written = backup(engine, tmp_path / "b", quiet)
    assert written == sum(rows for rows, _ in before.values()) == restore(other, tmp_path / "b", quiet)
    assert content(other) == before
    assert current_revision(other) == current_revision(engine)
    assert [path.name for path in tmp_path.glob("b*")] == ["b"]
    # and it goes on working: ids, rollups, batch ids
    fill(other, 2)
    assert content(other)["scraper_page_performance"][0] == before["scraper_page_performance"][0] + 4


def test_backup_is_of_one_moment_while_metrics_arrive(engine: Engine, tmp_path: Path) -> None:
    store = Store(engine)
    stop, busy = threading.Event(), threading.Event()

    def send() -> None:
        number = 0
        while not stop.is_set():
            try:
                store.send(batch(navigation(), scrape(), run(), batch_id=f"{number}"))
            except SinkUnavailable:
                continue
            number += 1
            if number == 20:
                busy.set()

    sender = threading.Thread(target=send)
    sender.start()
    try:
        assert busy.wait(90)
        for _ in range(3):
            backup(engine, tmp_path / "b", quiet)
            reader = BackupReader(tmp_path / "b")
            rows = {name: 0 for name in reader.header.columns}  # noqa: C420
            for name, some in reader.rows():
                rows[name] += len(some)
            reader.close()
            assert rows == reader.header.rows
            batches = rows["ingest_batches"]
            assert batches >= 20
            assert (rows["scraper_page_performance"], rows["scheduler_metrics"]) == (2 * batches, batches)
    finally:
        stop.set()
        sender.join()


def test_database_with_rows_is_not_overwritten_unless_asked(engine: Engine, tmp_path: Path) -> None:
    fill(engine, 2)
    backup(engine, tmp_path / "b", quiet)
    before = content(engine)
    Store(engine).send(batch(navigation()))
    with pytest.raises(TransferRefused, match="not empty: give --replace"):
        restore(engine, tmp_path / "b", quiet)
    restore(engine, tmp_path / "b", quiet, replace=True)
    assert content(engine) == before


@pytest.mark.parametrize("damage", ["cut", "flipped", "no end", "swapped", "text", "empty", "missing", "directory"])
def test_file_that_is_not_whole_is_one_line_and_changes_nothing(engine: Engine, tmp_path: Path, damage: str) -> None:
    fill(engine, 5)
    path = tmp_path / "b"
    backup(engine, path, quiet)
    good = path.read_bytes()
    lines = zstd.decompress(good).splitlines(keepends=True)
    if damage == "cut":
        path.write_bytes(good[:-30])
    elif damage == "flipped":
        path.write_bytes(good[:200] + bytes([good[200] ^ 0xFF]) + good[201:])
        with pytest.raises(zstd.ZstdError):  # whatever the byte stood for: the stream's own checksum knows
            zstd.decompress(path.read_bytes())
    elif damage == "no end":
        path.write_bytes(zstd.compress(b"".join(lines[:-1])))
    elif damage == "swapped":
        path.write_bytes(zstd.compress(b"".join(lines).replace(b"robinhood", b"robinh00d").replace(b"s1", b"s7")))
    elif damage == "text":
        path.write_text("SELECT 1")
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "missing":
        path.unlink()
    else:
        path.unlink()
        path.mkdir()
    before = content(engine)
    with pytest.raises(BadBackup) as caught:
        restore(engine, path, quiet, replace=True)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert content(engine) == before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'"scrapeboardBackup":1', b'"scrapeboardBackup":2', "has format 2"),
        (b'"schema":"', b'"schema":"x', "newer than this program's"),
    ],
)
def test_file_of_a_newer_program_is_refused(engine: Engine, tmp_path: Path, old: bytes, new: bytes, said: str) -> None:
    backup(engine, tmp_path / "b", quiet)
    text_ = zstd.decompress((tmp_path / "b").read_bytes())
    assert old in text_
    (tmp_path / "b").write_bytes(zstd.compress(text_.replace(old, new, 1)))
    with pytest.raises(BadBackup, match=said):
        restore(engine, tmp_path / "b", quiet)


def test_restore_that_was_cut_off_is_noticed_and_can_be_repeated(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    fill(engine, 10)
    backup(engine, tmp_path / "b", quiet)
    before = content(engine)

    def die(label: str, done: int, _total: int) -> None:
        if label == "restoring scraper_page_performance" and done >= 14:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(engine, tmp_path / "b", die, replace=True)
    with pytest.raises(TransferRefused, match=r"cut off; run .* --replace"), migrated(database_url):
        pass
    with pytest.raises(TransferRefused, match="cut off"):
        restore(engine, tmp_path / "b", quiet)
    with pytest.raises(TransferRefused, match="cut off"):
        backup(engine, tmp_path / "c", quiet)
    restore(engine, tmp_path / "b", quiet, replace=True)
    assert content(engine) == before
    with migrated(database_url):
        pass


def test_backup_that_fails_leaves_the_last_one_alone(engine: Engine, tmp_path: Path) -> None:
    fill(engine, 2)
    (tmp_path / "b").write_text("the last one")

    def die(_label: str, _done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup(engine, tmp_path / "b", die)
    assert [(path.name, path.read_text()) for path in tmp_path.glob("b*")] == [("b", "the last one")]
    with pytest.raises(BadBackup, match="can't be written: No such file or directory"):
        backup(engine, tmp_path / "nowhere" / "b", quiet)


def test_full_disk_is_said_of_the_file_not_of_the_database(engine: Engine, tmp_path: Path) -> None:
    fill(engine, 2)
    (tmp_path / "b.part").symlink_to("/dev/full")
    with pytest.raises(BadBackup, match="can't be written: No space left on device"):
        backup(engine, tmp_path / "b", quiet)
    assert list(tmp_path.glob("b*")) == []


def test_empty_database_has_nothing_to_back_up(database_url: str, tmp_path: Path) -> None:
    engine = make_engine(url=database_url)
    with pytest.raises(TransferRefused, match="nothing to back up"):
        backup(engine, tmp_path / "b", quiet)
    upgrade(engine)
    assert backup(engine, tmp_path / "b", quiet) == 0
    engine.dispose()


def test_tables_of_others_in_the_same_database_stay(engine: Engine, tmp_path: Path) -> None:
    with begin_writing(engine) as connection:
        connection.execute(text("CREATE TABLE somebody_elses (x INTEGER)"))
    fill(engine, 1)
    backup(engine, tmp_path / "b", quiet)
    restore(engine, tmp_path / "b", quiet, replace=True)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM somebody_elses")).scalar() == 0


def test_backup_of_an_older_schema_is_restored_and_brought_up_to_date(
    database_url: str, other: Engine, tmp_path: Path
) -> None:
    old = make_engine(url=database_url)
    upgrade(old, "0001")
    with begin_writing(old) as connection:
        connection.execute(text("INSERT INTO ingest_batches VALUES ('b', 1, 2)"))
    assert backup(old, tmp_path / "b", quiet) == 1
    assert current_revision(old) == "0001"
    assert restore(other, tmp_path / "b", quiet) == 1
    assert current_revision(other) == known_revisions()[0]
    with other.connect() as connection:
        assert connection.execute(text("SELECT * FROM ingest_batches")).all() == [("b", 1, 2)]
    old.dispose()


def test_no_partition_is_dropped_below_a_backup(mariadb: PrivateMariaDB, tmp_path: Path) -> None:
    mariadb.execute("CREATE DATABASE below")
    engine = make_engine(url=mariadb.url("below"))
    upgrade(engine)
    with portable.snapshot(engine):
        assert maintain(engine, 7, present_ms=NOON_MS) is None
    assert maintain(engine, 7, present_ms=NOON_MS) == 0
    with alone(engine, "maintain"):
        backing = threading.Thread(target=backup, args=(engine, tmp_path / "b", quiet))
        backing.start()
        backing.join(0.5)
        assert backing.is_alive()  # it waits for the maintenance
    backing.join()
    assert (tmp_path / "b").exists()
    engine.dispose()
    mariadb.execute("DROP DATABASE below")
