"""`pip install .`: the collector alone, in a Python that has nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

from bench._acknowledged import count_urls
from collector.version import VERSION
from tests.apps import PrivateApp
from tests.collector.conftest import REPOSITORY

_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import collector, collector.integrations
assert collector.__file__.startswith(sys.argv[1]), collector.__file__
foreign = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names) - {"__main__"}
assert foreign == {"collector"}, foreign
collector.configure(url=sys.argv[2])
collector.record_page_navigation("robinhood", url="https://robinhood.com/stocks/AAPL", navigation_duration_ms=150)
assert collector.flush()
"""


_COMMAND = """
import sys
sys.path.insert(0, sys.argv[1])
from collector.__main__ import main
page = ["--source", "robinhood", "--page", "https://robinhood.com/stocks/MSFT", "--duration-ms", "150"]
sys.exit(main(["record", "navigation", "--url", sys.argv[2], *page]))
"""


def test_installing_the_repository_installs_the_collector_alone(tmp_path: Path) -> None:
    source = tmp_path / "source"  # a copy, as the build leaves files beside what it builds
    shutil.copytree(REPOSITORY / "collector", source / "collector", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    (source / "db").mkdir()
    (source / "db" / "__init__.py").write_text("")
    target = tmp_path / "target"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, timeout=120)

    packages = {path.name for path in target.iterdir() if path.is_dir() and path.suffix != ".dist-info"}
    assert packages == {"collector"}
    assert (target / "collector" / "py.typed").exists()
    assert (target / "collector" / "integrations" / "__init__.py").exists()
    assert any(path.name == f"scrapeboard_collector-{VERSION}.dist-info" for path in target.iterdir())
    with PrivateApp(f"sqlite:///{tmp_path}/app.db") as app:
        python = [sys.executable, "-I", "-S", "-W", "error", "-c"]
        subprocess.run([*python, _PROGRAM, str(target), app.url], check=True, timeout=150)
        subprocess.run([*python, _COMMAND, str(target), app.url], check=True, timeout=150)
        assert count_urls(app.settings["DATABASE_URL"], "https://robinhood.com/") == (2, 2)
