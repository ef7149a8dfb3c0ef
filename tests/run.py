"""Run all tests side by side, and the few that failed once more, alone: `python -m tests.run [pytest's words]`.

On two cores that run browsers and database servers beside each other, a test that waits for something may once wait in
vain. Alone it says whether that was all. Nothing is hidden: both results stand in the last lines, the same random seed
is used again, and what fails twice fails the run, as do more failures than a few.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_MOST_AGAIN = 5
_SOME_FAILED = 1  # pytest's exit code for: the tests were run, and some failed


def main(words: Sequence[str]) -> int:
    """Run the tests.

    Args:
        words: More for pytest's command line, for the first run only.

    Returns:
        The first run's exit code, but 0 when all that failed there passed alone.
    """
    seed = f"--randomly-seed={random.randrange(1 << 32)}"
    with tempfile.TemporaryDirectory() as directory:
        cache = Path(directory)
        code = _pytest(cache, seed, *words)
        failed = _failed(cache) if code == _SOME_FAILED else []
        if not failed:  # everything passed, or something else than a test went wrong
            return code
        if len(failed) > _MOST_AGAIN:
            _say(f"{len(failed)} failed, more than the {_MOST_AGAIN} that are run again alone: the run failed")
            return code
        _say(f"{len(failed)} failed beside others: each is run once more, alone")
        alone = {test: _pytest(cache, seed, test) for test in failed}
    _say(f"{len(failed)} failed beside others; alone, with the same seed:")
    for test, result in alone.items():
        _say(f"failed beside others, {'FAILED AGAIN' if result else 'passed'} alone: {test}")
    return code if any(alone.values()) else 0


def _pytest(cache: Path, *words: str) -> int:
    command = [sys.executable, "-m", "pytest", "-o", f"cache_dir={cache}", *words]
    return subprocess.run(command, check=False).returncode


def _failed(cache: Path) -> list[str]:
    found = cache / "v" / "cache" / "lastfailed"
    if not found.exists():
        return []
    # xdist writes the group of a test behind its name; a parameter may hold an @ too, before its bracket.
    return [re.sub(r"@[\w-]+$", "", test) for test in sorted(json.loads(found.read_text()))]


def _say(line: str) -> None:
    sys.stdout.write(f"== {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
