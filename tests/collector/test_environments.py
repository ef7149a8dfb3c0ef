"""The collector where others rule: gevent's patches, Twisted's reactor, and the oldest Python that it promises."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.collector.conftest import REPOSITORY
from tests.collector.doubles import App

_OLDEST = (3, 10)

_GREENLETS = """
from gevent import monkey
monkey.patch_all()
import sys
sys.path.insert(0, sys.argv[1])
import gevent, collector
collector.configure(url=sys.argv[2], batch_size=10)
def visit(number):
    for step in range(10):
        collector.record_page_navigation("cnbc", url=f"https://host/{number}-{step}", navigation_duration_ms=1)
        gevent.sleep(0)
gevent.joinall([gevent.spawn(visit, number) for number in range(20)])
assert collector.flush(90)
gevent.joinall([gevent.spawn(visit, 20)])  # delivered at the exit
"""

_LATE_PATCH = _GREENLETS.replace("from gevent import monkey\nmonkey.patch_all()\nimport sys\n", "import sys\n").replace(
    "import gevent, collector\n", "import collector\nfrom gevent import monkey\nmonkey.patch_all()\nimport gevent\n"
)


@pytest.mark.parametrize("program", [_GREENLETS, _LATE_PATCH], ids=["patched before", "patched after the import"])
def test_greenlets_record_and_are_delivered(program: str) -> None:
    with App() as app:
        subprocess.run([sys.executable, "-c", program, str(REPOSITORY), app.url], check=True, timeout=150)
        assert len({metric["url"] for metric in app.metrics()}) == len(app.metrics()) == 210


_REACTOR = """
import sys
sys.path.insert(0, sys.argv[1])
import collector
from twisted.internet import reactor, task, threads
collector.configure(url=sys.argv[2], batch_size=10)
seen = []
def visit():
    collector.record_page_navigation("cnbc", url=f"https://host/{len(seen)}", navigation_duration_ms=1)
    seen.append(1)
    if len(seen) == 200:
        loop.stop()
        threads.deferToThread(collector.flush, 30).addCallback(end)
def end(flushed):
    assert flushed
    reactor.stop()
loop = task.LoopingCall(visit)
loop.start(0)
reactor.run()
"""


def test_twisteds_reactor_records_and_is_delivered_beside_it() -> None:
    pytest.importorskip("twisted")
    with App() as app:
        subprocess.run([sys.executable, "-c", _REACTOR, str(REPOSITORY), app.url], check=True, timeout=150)
        assert len({metric["url"] for metric in app.metrics()}) == len(app.metrics()) == 200


_PROGRAM = """
import sys
assert sys.version_info[:2] == (3, 10), sys.version
sys.path.insert(0, sys.argv[1])
import collector, collector.__main__
collector.configure(url=sys.argv[2])
with collector.run("nightly"):
    collector.scrape_page_tracked("<p>5</p>", "https://host/", scraper_source="shop", extract=lambda page: iter([1, 2]))
    collector.record_page_scrape("shop", url="https://host/", scrape_duration_ms=1, items=[{"price": 5}])
assert collector.flush(90)
"""


def _oldest_python() -> str | None:
    """Find a Python of that version that can run; a version manager's stand-in may be there without one."""
    names = [shutil.which("python3.10"), *map(str, Path.home().glob(".pyenv/versions/3.10.*/bin/python3.10"))]
    for name in filter(None, names):
        found = subprocess.run([name, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True)
        if found.stdout.strip() == str(_OLDEST):
            return name
    return None


def test_it_runs_on_python_3_10() -> None:
    python = sys.executable if sys.version_info[:2] == _OLDEST else _oldest_python()
    if python is None:
        pytest.skip("there is no Python 3.10 here; ruff checks the syntax for it")
    with App() as app:
        command = [python, "-I", "-S", "-W", "error", "-c", _PROGRAM, str(REPOSITORY), app.url]
        subprocess.run(command, check=True, timeout=150)
        assert sorted(metric["type"] for metric in app.metrics()) == ["page_scrape", "page_scrape", "run", "run"]
