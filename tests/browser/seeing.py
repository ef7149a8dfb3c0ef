"""What a test sees in the browser, with patience that has an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from selenium.common.exceptions import WebDriverException

PATIENCE_S = 90.0  # of a machine that does much else; a page needs less than a second


def until(condition: Callable[[], bool], what: str, *, patience_s: float = PATIENCE_S) -> None:
    """Wait until the page fulfils a condition; elements may come and go meanwhile."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except WebDriverException:  # the element isn't there yet, or was just replaced
            pass
        time.sleep(0.03)
    raise AssertionError(f"not within {patience_s} s: {what}")


def text(browser: Any, selector: str) -> str:
    """Return the visible text of the first element of a selector."""
    found: str = browser.driver.find_element("css selector", selector).text
    return found


def see(browser: Any, selector: str, words: str, *, patience_s: float = PATIENCE_S) -> None:
    """Wait until an element shows these words."""
    until(lambda: words in text(browser, selector), f"{words!r} in {selector}", patience_s=patience_s)


def moves(browser: Any) -> bool:
    """Say whether the page changes, within longer than the interval of charts."""
    before = text(browser, "#page")
    time.sleep(1.5)  # there is nothing to await when nothing comes
    return text(browser, "#page") != before


def errors(browser: Any) -> list[str]:
    """Return what the browser's console complains of, but for addresses that a test takes away on purpose."""
    return [
        entry["message"]
        for entry in browser.driver.get_log("browser")
        if entry["level"] == "SEVERE" and "ERR_CONNECTION" not in entry["message"]
    ]
