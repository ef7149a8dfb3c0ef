"""Every snippet of the collector's documentation runs, as it stands there, against the shop."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from examples.shop import Shop
from tests.collector.conftest import REPOSITORY
from tests.collector.doubles import App

PAGES = [REPOSITORY / "docs" / "collector.md", *sorted((REPOSITORY / "docs" / "integrations").glob("*.md"))]
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.py)\n")
# What the pages leave to a usual installation, and the browsers here need to be told.
BROWSERS = {
    "chromium.launch()": 'chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])',
    "webdriver.Chrome()": '__import__("examples.shop_selenium").shop_selenium.open_browser("docs", 30)',
}
# What must have been recorded: kinds of metrics, by page.
RECORDED = {
    "collector": {"page_navigation": 2, "page_scrape": 2, "run": 2},
    "scrapy": {"page_navigation": 2, "page_scrape": 2, "run": 2},
    "playwright": {"page_navigation": 4, "page_scrape": 1},
    "selenium": {"page_navigation": 1, "page_scrape": 1},
    "requests": {"page_navigation": 3, "page_scrape": 1},
    "httpx": {"page_navigation": 4, "page_scrape": 1},
    "aiohttp": {"page_navigation": 1, "page_scrape": 1},
    "apscheduler": {"scheduler": 1},
    "celery": {"scheduler": 1},
    "shell": {"page_navigation": 1, "page_scrape": 1, "run": 2, "scheduler": 1},
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_snippet_of_a_page_runs_and_records(page: Path, shop: Shop, app: App, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for shown, here in {"https://shop.example": shop.url, "http://127.0.0.1:8050": app.url, **BROWSERS}.items():
        text = text.replace(shown, here)
    (tmp_path / "scrapy.cfg").write_text("[settings]\ndefault = settings\n")  # a Scrapy project is where this is
    script, commands = [], []
    for language, code in BLOCK.findall(text):
        named = FILE.match(code)
        if named:
            (tmp_path / named[1]).write_text(code, encoding="utf-8")
        else:
            (script if language == "python" else commands).append(code)
    if script:
        (tmp_path / "page.py").write_text("\n".join(script), encoding="utf-8")
        commands.insert(0, "python page.py")
    for command in commands:
        done = subprocess.run(
            ["bash", "-euc", command],
            cwd=tmp_path,
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "PYTHONPATH": f"{tmp_path}:{REPOSITORY}",  # its settings.py, not ours
                "XDG_STATE_HOME": str(tmp_path / "state"),
            },
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    kinds = [metric["type"] for metric in app.metrics()]
    assert {kind: kinds.count(kind) for kind in kinds} == RECORDED[page.stem]
    assert all(metric.get("success", True) for metric in app.metrics())


def test_every_integration_has_its_page() -> None:
    modules = {path.stem for path in (REPOSITORY / "collector" / "integrations").glob("[a-z]*.py")} - {"pages"}
    assert modules == {page.stem for page in PAGES} - {"collector", "shell"}
    assert set(RECORDED) == {page.stem for page in PAGES}
