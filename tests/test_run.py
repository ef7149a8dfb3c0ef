"""Tests that fail beside others are run again alone: said plainly, and what fails twice fails the run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

ONCE = """
from pathlib import Path

def test_once():
    seen = Path(__file__).with_name("seen")
    before = seen.exists()
    seen.touch()
    assert before
"""
TWICE = "\ndef test_twice():\n    assert False\n"
MANY = "import pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_one(n):\n    assert False\n"


@pytest.mark.parametrize(
    ("written", "code", "said"),
    [
        (ONCE, 0, ["failed beside others, passed alone: test_it.py::test_once"]),
        (
            ONCE + TWICE,
            1,
            [
                "failed beside others, passed alone: test_it.py::test_once",
                "failed beside others, FAILED AGAIN alone: test_it.py::test_twice",
            ],
        ),
        (MANY, 1, ["6 failed, more than the 5 that are run again alone: the run failed"]),
        ("def test_well():\n    pass\n", 0, []),
        ("no python", 2, []),
    ],
    ids=["once", "twice", "many", "none", "broken"],
)
def test_what_failed_is_run_again_alone_and_both_results_are_said(
    tmp_path: Path, written: str, code: int, said: list[str]
) -> None:
    (tmp_path / "test_it.py").write_text(written)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    ended = subprocess.run(
        [sys.executable, "-m", "tests.run", "test_it.py"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={
            **os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": "-p pytest_randomly",
        },
    )  # fmt: skip
    assert ended.returncode == code, ended.stdout + ended.stderr
    lines = [line.removeprefix("== ") for line in ended.stdout.splitlines()]
    assert [line for line in lines if line.startswith(("failed beside", "6 failed,"))] == said
