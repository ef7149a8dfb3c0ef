"""The spool: files that survive the process, torn writes, bounds, and who delivers what others left."""

import os
import stat
import time
from pathlib import Path

import pytest

from collector.events import PageNavigation
from collector.run_events import ScraperRun
from collector.segment import SUFFIX
from collector.sinks import Batch
from collector.spool import Gone, Spool, decode, default_folder, encode, folder_name

NOW_MS = time.time_ns() // 1_000_000


def batch(name: str, metrics: int = 1, url: str = "https://host/") -> Batch:
    one = PageNavigation("cnbc", url, 150, True, 0, None, None, NOW_MS)
    return Batch(name, (one,) * metrics)


def spool_in(folder: Path, *, max_bytes: int = 16 << 20, max_age_s: float = 86_400) -> Spool:
    return Spool(folder, max_bytes=max_bytes, max_age_s=max_age_s)


def drain(spool: Spool) -> list[str]:
    """Deliver everything; the batch ids, or why one can't be delivered."""
    seen: list[str] = []
    while (found := spool.oldest()) is not None:
        seen.append(found.batch.batch_id if found.batch is not None else f"{found.lost} {found.record.metrics}")
        spool.settle(found)
    return seen


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


def test_batches_come_back_oldest_first_and_leave_nothing_behind(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    for number in range(100):
        assert spool.put(batch(f"b{number}", 2)) == []
    assert spool.metrics == 200
    assert drain(spool) == [f"b{number}" for number in range(100)]
    assert spool.metrics == 0
    assert files(tmp_path) == []


def test_a_batch_comes_back_as_it_was() -> None:
    run = ScraperRun("nightly", "r", None, "ok", NOW_MS, NOW_MS, 3, None, 30_000, None)
    navigation = PageNavigation("cnbc", "https://host/\ud83d", 1.5, False, 2, "x\n", 503, NOW_MS, "r", {"a": "b"})
    whole = Batch("b1", (navigation,), (run,))
    back = decode(encode(Batch("b1", batch("b1").metrics, (run,))), NOW_MS)
    assert back == Batch("b1", batch("b1").metrics, (run,))
    assert whole.events == (navigation, run)


def test_nothing_is_made_on_the_disk_before_there_is_something_to_write(tmp_path: Path) -> None:
    spool = spool_in(tmp_path / "state" / "app")
    assert spool.adopt() == 0
    assert spool.oldest() is None
    assert not (tmp_path / "state").exists()


def test_only_the_owner_can_read_what_waits(tmp_path: Path) -> None:
    spool = spool_in(tmp_path / "state" / "app")
    spool.put(batch("b"))
    (file,) = files(tmp_path / "state" / "app")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state" / "app").stat().st_mode) == 0o700


def test_files_of_a_living_process_are_left_alone_and_those_of_a_dead_one_adopted(tmp_path: Path) -> None:
    dying, living = spool_in(tmp_path), spool_in(tmp_path)
    dying.put(batch("b1", 3))
    assert living.adopt() == 0
    dying.close()
    assert living.adopt() == 3
    assert living.adopted == 3
    assert spool_in(tmp_path).adopt() == 0  # somebody has it already
    assert drain(living) == ["b1"]
    assert files(tmp_path) == []


def test_what_was_delivered_is_not_delivered_again_by_who_adopts_the_rest(tmp_path: Path) -> None:
    first, second = spool_in(tmp_path), spool_in(tmp_path)
    for name in ("b1", "b2", "b3"):
        first.put(batch(name))
    found = first.oldest()
    assert found is not None
    first.settle(found)
    first.close()
    assert second.adopt() == 2
    assert drain(second) == ["b2", "b3"]


def test_adopted_batches_are_delivered_before_those_that_are_written_later(tmp_path: Path) -> None:
    first, second = spool_in(tmp_path), spool_in(tmp_path)
    first.put(batch("old"))
    first.close()
    second.adopt()
    second.put(batch("new"))
    assert drain(second) == ["old", "new"]


@pytest.mark.parametrize("kept_bytes", [1, 10, 24, 30])
def test_a_write_that_was_torn_costs_that_batch_alone(tmp_path: Path, kept_bytes: int) -> None:
    first, second = spool_in(tmp_path), spool_in(tmp_path)
    first.put(batch("whole", 2))
    (file,) = files(tmp_path)
    whole_bytes = file.stat().st_size
    first.put(batch("torn", 5))
    os.truncate(file, whole_bytes + kept_bytes)
    first.close()
    told = 5 if kept_bytes >= 24 else 0  # the header says how many there were
    assert second.adopt() == 2 + told
    assert drain(second) == ["whole", f"spool_torn {told}"]
    assert files(tmp_path) == []


def test_bytes_that_changed_on_the_disk_cost_that_batch_alone(tmp_path: Path) -> None:
    first, second = spool_in(tmp_path), spool_in(tmp_path)
    sizes = []
    for name in ("b1", "b2", "b3"):
        first.put(batch(name, 4))
        sizes.append(files(tmp_path)[0].stat().st_size)
    with files(tmp_path)[0].open("r+b") as file:
        file.seek(sizes[0] + 40)
        file.write(b"\xff")
    first.close()
    assert second.adopt() == 12
    assert drain(second) == ["b1", "spool_torn 4", "b3"]


def test_a_length_that_changed_on_the_disk_costs_that_batch_alone(tmp_path: Path) -> None:
    first, second = spool_in(tmp_path), spool_in(tmp_path)
    first.put(batch("b1", 4))
    size = files(tmp_path)[0].stat().st_size
    first.put(batch("b2", 4))
    first.put(batch("b3", 4))
    with files(tmp_path)[0].open("r+b") as file:
        file.seek(size + 4)
        file.write(b"\x7f\xff\xff\xff")
    first.close()
    assert second.adopt() == 12
    assert drain(second) == ["b1", "spool_torn 4", "b3"]


def test_a_file_of_something_else_is_lost_without_harm(tmp_path: Path) -> None:
    (tmp_path / f"0-1-x{SUFFIX}").write_bytes(os.urandom(100_000))
    spool = spool_in(tmp_path)
    assert spool.adopt() == 0
    assert all(line.startswith("spool_torn") for line in drain(spool))


def test_a_full_spool_lets_the_oldest_go(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, max_bytes=128 << 10)  # two files of 64 KiB
    gone: list[Gone] = []
    long = "https://host/" + "x" * 2000
    for number in range(200):
        gone += spool.put(batch(f"b{number}", 2, long))
    assert sum(file.stat().st_size for file in files(tmp_path)) <= 128 << 10
    left = drain(spool)
    assert len(left) + len(gone) == 200
    assert {one.batch_id for one in gone}.isdisjoint(left)
    assert left[-1] == "b199" or gone[-1].batch_id == "b199"
    assert len(left) >= 10


def test_a_directory_that_others_have_filled_refuses_the_newest(tmp_path: Path) -> None:
    others = [spool_in(tmp_path, max_bytes=128 << 10) for _ in range(2)]
    for number, other in enumerate(others):
        assert other.put(batch(f"other{number}")) == []
    mine = spool_in(tmp_path, max_bytes=128 << 10)
    assert mine.put(batch("mine", 7)) == [Gone("mine", 7, False)]
    assert drain(others[0]) == ["other0"]
    assert mine.put(batch("mine", 7)) == []


def test_what_hundreds_of_short_processes_left_takes_the_room_that_it_needs_and_no_more(tmp_path: Path) -> None:
    lives = spool_in(tmp_path, max_bytes=512 << 10)  # eight files of 64 KiB
    assert lives.put(batch("lives")) == []
    kept = 0
    while True:
        job = spool_in(tmp_path, max_bytes=512 << 10)
        gone = job.put(batch(f"job{kept}"))
        job.close()
        if gone:
            break
        kept += 1
    # One file may still grow to 64 KiB, and so may the next one; a file takes 4 KiB at least.
    assert kept == (512 - 2 * 64) // 4 + 1
    assert gone == [Gone(f"job{kept}", 1, False)]
    heir = spool_in(tmp_path)
    found: list[str] = []
    while heir.adopt():
        found += drain(heir)
    assert sorted(found) == sorted(f"job{number}" for number in range(kept))


def test_what_is_too_old_is_given_up(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, max_age_s=0.0)
    spool.put(batch("b", 3))
    while time.time_ns() // 1_000_000 <= NOW_MS:
        continue
    found = spool.oldest()
    assert found is not None
    assert (found.batch, found.lost, found.record.metrics) == (None, "expired", 3)


def test_two_apps_have_two_folders_with_readable_names() -> None:
    one, other = folder_name("http://scrapeboard.test:8050"), folder_name("http://scrapeboard.test:8051")
    assert one != other
    assert one.startswith("http-scrapeboard.test-8050-")
    assert "/" not in folder_name("https://host/../../etc")


def test_the_default_folder_follows_the_xdg_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert default_folder() == Path("/state/scrapeboard/spool")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")  # such a value has to be ignored
    monkeypatch.setenv("HOME", "/home/ada")
    assert default_folder() == Path("/home/ada/.local/state/scrapeboard/spool")
