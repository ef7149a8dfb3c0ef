"""Finds a real body of HTML on this machine: the Python documentation as Debian packages it."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

FEWEST_PAGES = 200
PACKAGE = "python3-doc"
# Where distributions put HTML documentation; the Python documentation first, any other large one will do.
WELL_KNOWN = (
    "/usr/share/doc/python3-doc/html",
    "/usr/share/doc/python3.*-doc/html",
    "/usr/share/doc/python3*/html",
    "/usr/share/doc/python*-docs/html",
    "/usr/local/share/doc/python*/html",
    "/usr/share/doc/*/html",
)


class DocsMissingError(Exception):
    """No body of HTML with enough pages was found; the message says what to install."""


def find_docs(patterns: Iterable[str] = WELL_KNOWN) -> Path:
    """Find the first directory with an index.html and a few hundred pages.

    Args:
        patterns: absolute glob patterns, the most wanted first.

    Returns:
        The directory, symbolic links resolved.

    Raises:
        DocsMissingError: nothing there; the message names the package to install.
    """
    for pattern in patterns:
        for found in sorted(Path("/").glob(pattern.lstrip("/"))):
            root = found.resolve()
            if (root / "index.html").is_file() and len(list_pages(root)) >= FEWEST_PAGES:
                return root
    raise DocsMissingError(f"No HTML to crawl on this machine: install it with 'sudo apt-get install {PACKAGE}'.")


def find_or_install_docs() -> Path:
    """Find the documentation; when it is missing and we are root on a Debian, install its package first.

    Raises:
        DocsMissingError: it is missing and couldn't be installed; the message says why.
    """
    try:
        return find_docs()
    except DocsMissingError:
        if os.geteuid() != 0:
            raise
    print(f"Installing {PACKAGE}, the HTML to crawl (once, about 10 MB) …", flush=True)
    # Slim container images tell dpkg to leave documentation out.
    keep_docs = ["-o", "DPkg::Options::=--path-include=/usr/share/doc/python*"]
    install = ["apt-get", "install", "-y", "--no-install-recommends", "-qq", *keep_docs, PACKAGE]
    # An image without package lists, or with old ones, needs the update; elsewhere it would only cost time.
    for command in (install, ["apt-get", "update", "-qq"], install):
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        except OSError as exc:
            raise DocsMissingError(f"{PACKAGE} is missing and apt-get can't be run: {exc}.") from exc
        if command is install and done.returncode == 0:
            return find_docs()
    said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    raise DocsMissingError(f"{PACKAGE} is missing and apt-get couldn't install it: {said[-1]}")


def list_pages(root: Path) -> tuple[str, ...]:
    """List the HTML pages below a directory, as sorted paths relative to it with forward slashes."""
    return tuple(sorted(path.relative_to(root).as_posix() for path in root.rglob("*.html")))
