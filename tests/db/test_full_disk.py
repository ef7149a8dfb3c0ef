"""A disk without room: nothing is stored by halves, everybody is told to wait, and it goes on when there is room."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine

from collector.errors import SinkUnavailable
from collector.events import Metric, SchedulerRun
from collector.sinks import Batch
from db.clock import now_ms
from db.engine import make_engine
from db.errors import DatabaseUnavailable
from db.maintenance import maintain
from db.migrate import upgrade
from db.queries import Queries
from db.recent import RecentDetail
from db.results import TimeRange
from db.rollups import Rollups
from db.store import Store
from tests.apps import PrivateApp
from tests.db.samples import NOON_MS, batch, navigation, run
from tests.servers import PrivateMariaDB, ServerFailedError

ROOT = Path(__file__).resolve().parents[2]
DAY_MS = 86_400_000
ADVICE = "make room where it keeps its data"


class Small(Protocol):
    """A database that can't grow as it likes."""

    url: str

    def fill(self) -> None:
        """Leave room for a few batches at most."""

    def make_room(self) -> None:
        """Leave a lot of room."""


class SmallDisk:
    """An SQLite database on a file system of its own, which can be filled and emptied.

    Args:
        path: Where it is mounted.
    """

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path / 'metrics.db'}"
        self._ballast = path / "ballast"
        self._ballast.write_bytes(bytes(48 << 20))

    def fill(self) -> None:
        """Write until there is room for nothing."""
        with self._ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))

    def make_room(self) -> None:
        """Empty it but for the database."""
        self._ballast.unlink()


class SmallMariaDB(PrivateMariaDB):
    """A server whose tables share one file that has a limit (error 1114 at the limit, as on a full disk)."""

    def __init__(self) -> None:
        super().__init__()
        self.make_limit("40M")  # twenty-odd tables and their indexes are there before the first row
        self.url_of_metrics = self.url("metrics")

    def make_limit(self, limit: str) -> None:
        """Set what the next start allows."""
        self.options = ("--innodb-file-per-table=0", f"--innodb-data-file-path=ibdata1:12M:autoextend:max:{limit}")


class SmallTablespace:
    """A MariaDB database in a file that may not grow.

    Args:
        server: Running.
    """

    def __init__(self, server: SmallMariaDB) -> None:
        self.url = server.url("metrics")
        self._server = server

    def fill(self) -> None:
        """Fill the file with rows of another table.

        Small ones: a large row has many pages of its own, and where none is left to undo half of one, InnoDB ends the
        whole server ("Out of disk space in rollback").
        """
        self._server.execute("CREATE TABLE IF NOT EXISTS metrics.ballast (x BLOB)")
        for size in (1 << 13, 1_000):
            with contextlib.suppress(Exception):
                while True:
                    self._server.execute(f"INSERT INTO metrics.ballast VALUES (REPEAT('x', {size}))")

    def make_room(self) -> None:
        """Start the server again with a higher limit."""
        self._server.stop()
        self._server.make_limit("200M")
        self._server.start()


@pytest.fixture(params=["sqlite", "mariadb"])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Small]:
    """An empty database of each kind."""
    if request.param == "mariadb":
        with SmallMariaDB() as server:
            server.execute("CREATE DATABASE metrics")
            yield SmallTablespace(server)
        return
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "test", path], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    yield SmallDisk(path)
    subprocess.run(["umount", "--lazy", path], check=True)


@pytest.fixture
def cramped(small: Small) -> Iterator[Engine]:
    """An engine on that database, migrated."""
    engine = make_engine(url=small.url)
    upgrade(engine)
    yield engine
    engine.dispose()


def rows(engine: Engine, table: str = "scraper_page_performance") -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one())


def send_until_full(store: Store) -> tuple[int, Batch]:
    """Return how many metrics were taken, and the batch that wasn't."""
    accepted = 0
    for number in range(1000):
        at_ms = NOON_MS - DAY_MS * (number % 9)
        many = [navigation("s", at_ms + n, error="x" * 1000, success=False) for n in range(100)]
        waiting = batch(*many, run(at_ms=at_ms), batch_id=f"b{number}")
        try:
            accepted += store.send(waiting).accepted
        except SinkUnavailable as exc:
            assert ADVICE in str(exc)  # noqa: PT017 - a number of batches went well before
            return accepted, waiting
    raise AssertionError("the disk was never full")


def test_batch_without_room_is_stored_whole_once_there_is_room(small: Small, cramped: Engine) -> None:
    store, rollups, recent = Store(cramped), Rollups(cramped), RecentDetail()
    heard: list[Metric] = []
    for listener in (heard.extend, rollups.mark, recent.append):
        store.subscribe(listener)
    accepted, waiting = send_until_full(store)
    assert accepted > 0
    small.fill()
    for _ in range(3):
        with pytest.raises(SinkUnavailable, match=ADVICE):
            store.send(waiting)
    assert rows(cramped) + rows(cramped, "scheduler_metrics") == accepted == len(heard)
    assert rows(cramped, "ingest_batches") == accepted // 101
    health = store.ping()
    assert (health.reachable, health.storing) == (True, False)
    # Reading goes on; who wants to write is told, or finds a little room.
    queries = Queries(cramped, recent, rollups=rollups, clock_ms=lambda: NOON_MS)
    assert queries.overview(TimeRange(NOON_MS - 3_600_000, NOON_MS + 3_600_000, 60_000)).current.navigations > 0
    for _ in range(2):
        with contextlib.suppress(DatabaseUnavailable):
            rollups.run_once()
        with contextlib.suppress(DatabaseUnavailable):
            maintain(cramped, 7, present_ms=NOON_MS)
    small.make_room()
    assert store.send(waiting).accepted == 101
    assert store.send(waiting).duplicate
    assert len(heard) == accepted + 101
    maintain(cramped, 7, present_ms=NOON_MS)
    rollups.run_once()
    with cramped.connect() as connection:
        total = connection.execute(text("SELECT SUM(total_navigations) FROM scraper_daily_summary")).scalar_one()
    assert total == sum(not isinstance(metric, SchedulerRun) for metric in heard)


@pytest.fixture
def small_ext4(tmp_path: Path) -> Iterator[Path]:
    """A file system in a file, with room for a MariaDB server and little more."""
    image, path = tmp_path / "image", tmp_path / "disk"
    path.mkdir()
    with image.open("wb") as file:
        file.truncate(170 << 20)
    for command in (["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", image], ["mount", "-o", "loop", image, path]):
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("only root can mount a small disk")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def test_mariadb_that_a_full_disk_stops_comes_back_with_every_answered_batch(small_ext4: Path) -> None:
    with PrivateMariaDB(parent=small_ext4) as server:
        server.execute("CREATE DATABASE metrics")
        engine = make_engine(url=server.url("metrics"), io_timeout_s=10)
        upgrade(engine)
        store, rollups = Store(engine), Rollups(engine)
        heard: list[Metric] = []
        for listener in (heard.extend, rollups.mark):
            store.subscribe(listener)
        ballast = small_ext4 / "ballast"
        room = os.statvfs(small_ext4)
        ballast.write_bytes(bytes(max(0, room.f_bavail * room.f_bsize - (4 << 20))))
        refused = None
        for number in range(1000):
            waiting = batch(
                *(navigation(at_ms=NOON_MS + n, error="x" * 1000) for n in range(100)), batch_id=f"{number}"
            )
            try:
                store.send(waiting)
            except SinkUnavailable as exc:  # MariaDB refuses, or ends itself, as it finds right
                refused = exc
                break
        assert refused is not None
        ballast.unlink()
        server.kill()
        server.start()
        store.send(waiting)
        assert store.send(waiting).duplicate
        assert len(heard) == rows(engine) == 100 * (number + 1)
        rollups.run_once()
        with engine.connect() as connection:
            total = connection.execute(text("SELECT SUM(total_navigations) FROM scraper_daily_summary")).scalar_one()
        assert total == len(heard)
        engine.dispose()


def app(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCRAPEBOARD_")}
    return subprocess.run(
        [sys.executable, str(ROOT / "app.py"), *arguments], cwd=ROOT, capture_output=True, text=True, timeout=150,
        env={**environment, "SCRAPEBOARD_DATABASE_URL": url}, check=False,
    )  # fmt: skip


def test_commands_on_a_full_disk_say_so_in_one_line(small: Small) -> None:
    small.fill()
    for command in ([], ["maintain"]):
        ended = app(small.url, *command)
        assert ended.returncode == 1
        assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
        assert ADVICE in ended.stderr
    small.make_room()
    assert app(small.url, "maintain").returncode == 0


def post(url: str, batch_id: str, metrics: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    body = json.dumps({"batchId": batch_id, "metrics": metrics}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/api/ingest", body), timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, json.loads(exc.read())


def test_app_on_a_full_disk_asks_its_senders_to_wait_and_starts_again_there(small: Small) -> None:
    many: list[dict[str, Any]] = [
        {"type": "page_navigation", "scraperSource": "s", "url": f"https://a.test/{n}", "navigationDurationMs": 1,
         "recordedAt": now_ms(), "error": "x" * 1000, "success": False}
        for n in range(300)
    ]  # fmt: skip
    with PrivateApp(small.url) as running:
        assert post(running.url, "first", many)[0] == 202
        small.fill()
        number, status, said = 0, 202, {}
        while status == 202 and number < 200:
            number += 1
            status, said = post(running.url, f"b{number}", many)
        assert (status, ADVICE in str(said)) == (503, True)
        assert running.get("/api/stats")["store"]["rows_stored"] == 300 * number
        with pytest.raises(urllib.error.HTTPError, match="503") as caught:
            running.get("/api/health")
        with caught.value as answer:
            assert json.loads(answer.read())["database"]["status"] == "takes no writes"
        running.kill()
        try:
            running.start()
        except ServerFailedError as exc:  # SQLite needs a little room for its log even to read
            assert ADVICE in str(exc).splitlines()[-1]  # noqa: PT017
        else:
            assert post(running.url, f"b{number}", many)[0] == 503
            running.kill()
        small.make_room()
        running.start()
        assert post(running.url, f"b{number}", many) == (202, {"accepted": 300, "duplicate": False})
        assert "Traceback" not in running.log()
