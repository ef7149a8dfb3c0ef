"""Every night, one process maintains the database; killed in the middle, the next one finishes."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine

from app import create_app
from db import retention
from db.alone import alone
from db.clock import now_ms
from db.maintenance import Nightly, maintain, rebuild
from db.results import TimeRange
from db.rollups import Rollups
from db.store import Store
from settings import load
from tests.db.samples import NOON_MS, batch, navigation, run

DAY_MS = 86_400_000
ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import sys
from db.alone import alone
from db.engine import make_engine
with alone(make_engine(url=sys.argv[1]), "maintain") as only_one:
    print(only_one, flush=True)
    sys.stdin.read()
"""


def total(engine: Engine) -> tuple[int, int]:
    with engine.connect() as connection:
        detail = connection.scalar(text("SELECT COUNT(*) FROM scraper_page_performance"))
        summed = connection.scalar(text("SELECT SUM(total_navigations) FROM scraper_daily_summary"))
    return int(detail or 0), int(summed or 0)


@pytest.fixture
def filled(store: Store, engine: Engine) -> Engine:
    """Ten days of a hundred rows."""
    for age in range(10):
        store.send(batch(*(navigation(at_ms=NOON_MS - age * DAY_MS + number) for number in range(100))))
    return engine


def test_maintenance_is_done_once_a_day(filled: Engine) -> None:
    assert maintain(filled, 7, present_ms=NOON_MS, once_a_day=True) == 200
    assert maintain(filled, 7, present_ms=NOON_MS + 1, once_a_day=True) is None
    assert maintain(filled, 7, present_ms=NOON_MS + 2) == 0
    assert maintain(filled, 7, present_ms=NOON_MS + DAY_MS, once_a_day=True) == 100
    assert total(filled) == (700, 1000)


def test_another_process_at_it_is_enough_and_its_death_frees_the_lock(filled: Engine, database_url: str) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, database_url], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        assert maintain(filled, 7, present_ms=NOON_MS) is None
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait(90)
    deadline = threading.Event()
    for _ in range(1_800):  # the server notices within a moment that the connection is gone
        if maintain(filled, 7, present_ms=NOON_MS) == 200:
            break
        deadline.wait(0.05)
    assert total(filled) == (800, 1000)


def test_lock_is_free_again_afterwards(engine: Engine) -> None:
    for _ in range(2):
        with alone(engine, "maintain") as only_one, alone(engine, "backup") as other:
            assert only_one
            assert other


def test_killed_anywhere_in_the_middle_the_next_run_finishes(filled: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    class KilledError(BaseException):
        pass

    for step in ("_delete_before", "shorten_log", "_delete_starts_before"):

        def die(*_: object) -> None:
            raise KilledError

        monkeypatch.setattr(retention, step, die)
        with pytest.raises(KilledError):
            maintain(filled, 7, present_ms=NOON_MS, once_a_day=True)
        monkeypatch.undo()
    maintain(filled, 7, present_ms=NOON_MS, once_a_day=True)
    assert total(filled) == (800, 1000)


def test_sqlite_file_gets_shorter(filled: Engine) -> None:
    if filled.dialect.name != "sqlite":
        return
    store = Store(filled)
    store.send(
        batch(*(navigation(at_ms=NOON_MS - 9 * DAY_MS + n, url=f"https://x.example/{n:01500}") for n in range(3000)))
    )
    with filled.connect() as connection:
        before = connection.scalar(text("PRAGMA page_count"))
    maintain(filled, 7, present_ms=NOON_MS)
    with filled.connect() as connection:
        after, free = connection.scalar(text("PRAGMA page_count")), connection.scalar(text("PRAGMA freelist_count"))
    assert after < before / 2
    assert free == 0


def test_rebuilding_corrects_what_is_said_of_scheduler_runs(store: Store, engine: Engine) -> None:
    store.send(batch(run(), run(at_ms=NOON_MS - DAY_MS)))
    maintain(engine, 7, present_ms=NOON_MS)
    with engine.begin() as connection:
        for table in ("scheduler_metrics_hourly", "scheduler_daily_summary"):
            connection.execute(text(f"UPDATE {table} SET total_runs = 99"))
    rebuild(engine, dt.date(2024, 4, 30), dt.date(2024, 5, 1))
    with engine.connect() as connection:
        for table in ("scheduler_metrics_hourly", "scheduler_daily_summary"):
            counts = connection.scalars(text(f"SELECT total_runs FROM {table} ORDER BY last_recorded_at"))
            assert list(counts) == [1, 1]


def test_progress_is_told(filled: Engine) -> None:
    told: list[tuple[str, int, int]] = []
    Rollups(filled).run_once()
    assert rebuild(filled, dt.date(2024, 4, 30), dt.date(2024, 5, 1), progress=lambda *step: told.append(step)) >= 2
    assert [step[1:] for step in told] == [(0, 2), (1, 2), (2, 2)]


def test_thread_runs_when_it_is_due(filled: Engine) -> None:
    nightly = Nightly(filled, 7, clock_ms=lambda: NOON_MS)
    nightly.start(interval_s=0.01)
    done = threading.Event()
    for _ in range(4_500):
        if total(filled) == (800, 1000):
            break
        done.wait(0.02)
    nightly.stop(timeout_s=90)
    assert total(filled) == (800, 1000)
    assert nightly.failures == 0


def test_memory_of_a_running_program_forgets_what_another_process_deleted(tmp_path: Path) -> None:
    board = create_app(load({"SCRAPEBOARD_DATABASE_URL": f"sqlite:///{tmp_path / 'app.db'}"}, env_file=None))
    present_ms = now_ms()
    board.store.send(batch(navigation(at_ms=present_ms - 3 * DAY_MS), navigation(at_ms=present_ms)))
    everything = TimeRange(present_ms - 7 * DAY_MS, present_ms + 1, DAY_MS)
    assert len(board.queries._history.in_memory(everything) or ()) == 2
    maintain(board.engine, 1, present_ms=present_ms)
    board.nightly.start()
    done = threading.Event()
    for _ in range(3_000):
        if board.queries._history.in_memory(everything) is None:  # not everything any more: the old day is gone
            break
        done.wait(0.02)
    board.nightly.stop(timeout_s=90)
    assert board.queries._history.in_memory(everything) is None
    assert len(board.queries._history.in_memory(TimeRange(present_ms, present_ms + 1, 1)) or ()) == 1
    board.hub.stop()
    board.engine.dispose()
