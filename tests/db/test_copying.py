"""Copying into another database: equal by checksum, also after a kill in the middle, also while metrics arrive."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine

from app import main
from db import portable
from db.copying import copy
from db.engine import begin_writing, make_engine
from db.errors import TransferRefused
from db.migrate import migrated, upgrade
from db.store import Store
from tests.db.samples import batch, navigation, run, scrape
from tests.db.transfers import content, fill, quiet


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portable, "CHUNK_ROWS", 7)


def test_copy_equals_its_source(engine: Engine, other: Engine) -> None:
    fill(engine)
    before = content(engine)
    done = copy(engine, other, quiet)
    assert content(other) == content(engine) == before
    assert (done.rows, done.written, done.arrived) == (sum(rows for rows, _ in before.values()), done.rows, 0)


def test_second_copy_writes_only_what_differs(engine: Engine, other: Engine) -> None:
    fill(engine, 30)
    copy(engine, other, quiet)
    with begin_writing(engine) as connection:
        connection.execute(text("DELETE FROM scraper_page_performance WHERE id <= 8"))
    with begin_writing(other) as connection:
        connection.execute(text("DELETE FROM scheduler_metrics WHERE id = 20"))
        connection.execute(text("UPDATE scraper_metrics_minute SET total_retries = 5 WHERE scraper_source = 's1'"))
    Store(engine).send(batch(navigation(), run()))
    Store(other).send(batch(scrape(), scrape(), run(), run()))
    with pytest.raises(TransferRefused, match="not empty"):
        copy(engine, other, quiet)
    done = copy(engine, other, quiet, replace=True)
    assert content(other) == content(engine)
    assert 0 < done.written < done.rows
    assert copy(engine, other, quiet, replace=True).written == 0


_COPIER = """
import sys
from db import portable
from db.copying import copy
from db.engine import make_engine

portable.CHUNK_ROWS = 7
left = int(sys.argv[3])


def tell(*step):
    global left
    print(*step, flush=True)
    left -= 1
    if not left:  # it would end before a slow test comes to kill it
        sys.stdin.read()


copy(make_engine(url=sys.argv[1]), make_engine(url=sys.argv[2]), tell)
"""


def test_copy_that_is_killed_goes_on_where_it_was(engine: Engine, database_url: str, other: Engine) -> None:
    fill(engine, 40)
    target_url = other.url.render_as_string(hide_password=False)
    for steps in (1, 9, 30):  # each goes on where the one before was killed
        copier = subprocess.Popen(
            [sys.executable, "-c", _COPIER, database_url, target_url, str(steps + 20)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert copier.stdin is not None
        assert copier.stdout is not None
        for _ in range(steps):
            assert copier.stdout.readline().startswith("copying")
        copier.kill()
        copier.wait()
        copier.stdin.close()
        copier.stdout.close()
        with pytest.raises(TransferRefused, match=r"run the same `python app.py copy` again"), migrated(target_url):
            pass
    done = copy(engine, other, quiet)
    assert content(other) == content(engine)
    shorter = 2 * 6  # the last chunk of each of the first two tables
    assert done.written <= done.rows - 7 * (steps - 1) + shorter
    with migrated(target_url):
        pass


def test_copy_while_metrics_arrive_is_of_one_moment_and_says_what_came_later(engine: Engine, other: Engine) -> None:
    store = Store(engine)
    stop, busy = threading.Event(), threading.Event()

    def send() -> None:
        number = 0
        while not stop.is_set() and number < 150:  # what a slow copy doesn't end, nobody waits for
            store.send(batch(navigation(), scrape(), run()))
            number += 1
            if number == 50:
                busy.set()

    def send_once_more(_label: str, _done: int, _total: int) -> None:
        # The copy reads by now: this comes later for certain, however slow the sender above is.
        store.send(batch(navigation(), scrape(), run()))

    sender = threading.Thread(target=send)
    sender.start()
    try:
        assert busy.wait(90)
        done = copy(engine, other, send_once_more)
    finally:
        stop.set()
        sender.join()
    found = content(other)
    batches = found["ingest_batches"][0]
    assert batches >= 50
    assert (found["scraper_page_performance"][0], found["scheduler_metrics"][0]) == (2 * batches, batches)
    assert done.arrived > 0
    copy(engine, other, quiet, replace=True)
    assert content(other) == content(engine)


def test_copy_onto_itself_is_refused(engine: Engine, database_url: str) -> None:
    same = make_engine(url=database_url)
    with pytest.raises(TransferRefused, match="is the one to copy from"):
        copy(engine, same, quiet, replace=True)
    same.dispose()


def test_command_says_what_was_copied(
    engine: Engine,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SCRAPEBOARD_DATABASE_URL", database_url)
    fill(engine, 3)
    assert main(["copy", "--to", f"sqlite:///{tmp_path}/copy.db"]) == 0
    assert "compared by checksum" in capsys.readouterr().err
    assert main(["copy", "--to", f"sqlite:///{tmp_path}/copy.db"]) == 1
    assert "--replace makes it equal" in capsys.readouterr().err
    assert main(["copy", "--to", "postgresql://me:s3cret@h/d"]) == 1
    said = capsys.readouterr().err
    assert "mysql://user:password@host" in said
    assert "s3cret" not in said
    assert main(["backup", f"{tmp_path}/b"]) == 0
    upgraded = make_engine(url=f"sqlite:///{tmp_path}/restored.db")
    upgrade(upgraded)
    upgraded.dispose()
    monkeypatch.setenv("SCRAPEBOARD_DATABASE_URL", f"sqlite:///{tmp_path}/restored.db")
    assert main(["restore", f"{tmp_path}/b"]) == 0
    assert "compared by checksum" in capsys.readouterr().err
