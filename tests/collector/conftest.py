"""Fixtures for the collector's tests: a collector of one's own, closed afterwards."""

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector import Collector
from tests.collector.doubles import WAIT_S, MemorySink

REPOSITORY = Path(__file__).parents[2]
_ON_PATH = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})"


class PatientCollector(Collector):
    """A collector whose flushes wait as long as a machine may need that does much else."""

    def flush(self, timeout_s: float = WAIT_S) -> bool:
        return super().flush(timeout_s)

    def flush_navigation_metrics(self, timeout_s: float = WAIT_S) -> bool:
        return super().flush_navigation_metrics(timeout_s)

    def flush_scrape_metrics(self, timeout_s: float = WAIT_S) -> bool:
        return super().flush_scrape_metrics(timeout_s)

    def flush_scheduler_metrics(self, timeout_s: float = WAIT_S) -> bool:
        return super().flush_scheduler_metrics(timeout_s)


@pytest.fixture(autouse=True)
def spool_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Spools of this test alone, also of the processes that it starts."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "scrapeboard" / "spool"


@pytest.fixture
def make_collector() -> Iterator[Callable[[], Collector]]:
    """Make collectors that are closed when the test ends; each starts unconfigured."""
    made: list[Collector] = []

    def make() -> Collector:
        made.append(PatientCollector())
        return made[-1]

    yield make
    for collector in made:
        collector.close(timeout_s=0)


@pytest.fixture
def collector(make_collector: Callable[[], Collector]) -> Collector:
    """A collector that nobody has configured yet."""
    return make_collector()


@pytest.fixture
def sink() -> MemorySink:
    """A sink that takes everything."""
    return MemorySink()


@pytest.fixture
def tracked(collector: Collector, sink: MemorySink) -> Collector:
    """A collector that delivers into `sink`, in strict mode, so that a wrong record shows."""
    collector.configure(sinks=[sink], strict=True)
    return collector


@pytest.fixture
def start_python() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a Python that has nothing but the standard library and this repository; killed when the test ends."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-I", "-S", "-W", "error", "-c", f"{_ON_PATH}\n{textwrap.dedent(code)}", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def run_python(start_python: Callable[..., subprocess.Popen[str]]) -> Callable[..., str]:
    """Run such a Python to its end, which must be a good and silent one; gives its output."""

    def run(code: str, *arguments: str) -> str:
        process = start_python(code, *arguments)
        output, errors = process.communicate(timeout=150)
        assert (process.returncode, errors) == (0, "")
        return output

    return run


@pytest.fixture
def third_party_of() -> Callable[[str], set[str]]:
    """Tell which top-level packages in a list of modules, one a line, aren't of the standard library."""

    def tell(modules: str) -> set[str]:
        return {name.partition(".")[0] for name in modules.split()} - set(sys.stdlib_module_names) - {"__main__"}

    return tell
