"""What a test sees in the browser, with patience that has an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from selenium.common.exceptions import WebDriverException

PATIENCE_S = 90.0  # of a machine that does much else; a page needs less than a second
BUCKET_S = 600  # of charts of 24 hours
_SHOWN = """
const one = document.querySelector(arguments[0])
return one && (one.checkVisibility() ? one.innerText ?? one.textContent : '')
"""


def until(condition: Callable[[], bool], what: str, *, patience_s: float = PATIENCE_S) -> None:
    """Wait until the page fulfils a condition; elements may come and go meanwhile."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except WebDriverException:  # the element isn't there yet, or was just replaced
            pass
        time.sleep(0.1)
    raise AssertionError(f"not within {patience_s} s: {what}")


def text(browser: Any, selector: str) -> str:
    """Return the visible text of the first element of a selector.

    The browser says it itself, in one step; selenium's own script for it walks every element below.
    """
    shown = browser.driver.execute_script(_SHOWN, selector)
    if shown is None:
        browser.driver.find_element("css selector", selector)  # waits for it a moment
        shown = browser.driver.execute_script(_SHOWN, selector)
    return str(shown)


def see(browser: Any, selector: str, words: str, *, patience_s: float = PATIENCE_S) -> None:
    """Wait until an element shows these words."""
    until(lambda: words in text(browser, selector), f"{words!r} in {selector}", patience_s=patience_s)


def moves(browser: Any) -> bool:
    """Say whether the page changes, within longer than the interval of charts."""
    before = text(browser, "#page")
    time.sleep(1.5)  # there is nothing to await when nothing comes
    return text(browser, "#page") != before


def rests(browser: Any) -> None:
    """Wait until the page has stood still for a while: on a loaded machine one pause doesn't say that all has come."""
    until(lambda: not any(moves(browser) for _ in range(3)), "the page comes to rest")


def equals_a_reload(browser: Any, pill: str) -> None:
    """Assert that a page of the last 24 hours shows, once it rests, what it shows after a reload."""
    browser.driver.set_window_size(1440, 5_000)  # a chart that isn't on the screen may be behind
    for last_try in (False, True):
        rests(browser)
        before, since = text(browser, "#page"), int(time.time() / BUCKET_S)
        browser.driver.refresh()
        see(browser, "#live-pill", pill)
        same_bucket = int(time.time() / BUCKET_S) == since
        try:
            until(lambda before=before: text(browser, "#page") == before, f"the same as before: {before[:2000]}")
        except AssertionError:
            # When a bucket ended just in between, both are right, each of its own moment.
            if same_bucket or last_try:
                raise
        else:
            return


def errors(browser: Any) -> list[str]:
    """Return what the browser's console complains of, but for addresses that a test takes away on purpose."""
    return [
        entry["message"]
        for entry in browser.driver.get_log("browser")
        if entry["level"] == "SEVERE" and "ERR_CONNECTION" not in entry["message"]
    ]
