"""Every tab, light and dark, against axe-core's rules for WCAG 2 A and AA; and no page wider than a phone."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from collector.client import Collector
from components.nav import TABS
from tests.browser.conftest import CHROMIUM, FLAGS, App
from tests.servers import free_port

AppOn = Callable[..., App]
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
    "resultTypes": ["violations"],  # what is in order need not be described
}
PATHS = [*(tab.path for tab in TABS), "/scrapers/robinhood", "/no/such/page"]


pytestmark = [
    pytest.mark.xdist_group("accessibility"),  # one app and one Chromium for all
    pytest.mark.timeout(400),  # many pages, each of them audited
]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an app that has heard of something of everything; nobody changes what it holds."""
    app = App(f"sqlite:///{tmp_path_factory.mktemp('accessibility')}/board.db", free_port())
    app.start()
    collector = Collector()
    collector.configure(url=app.url, strict=True, handle_sigterm=False)
    report(collector)
    collector.close()
    yield app.url
    app.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield browser
        browser.close()


def report(collector: Collector) -> None:
    for n in range(20):
        for source in ("robinhood", "<script>alert(1)</script>", "🦊" * 50):
            failed = n % 4 == 0
            collector.record_page_navigation(
                source, url=f"https://example.org/{'long/' * 40}{n}", navigation_duration_ms=10.0 ** (n / 3),
                success=not failed, error="timeout after 30000 ms" if failed else None,
            )  # fmt: skip
            collector.record_page_scrape(
                source, url="https://example.org/", scrape_duration_ms=20, items_extracted=n, success=not failed
            )
        collector.record_scheduler_metric("nightly", execution_duration_ms=40, success=n % 5 > 0, error="x")
    assert collector.flush(timeout_s=90)


def context(browser: Browser, *, scheme: Any = "light", width_px: int = 1440) -> BrowserContext:
    """Return what pages share their cache in: scripts are loaded and compiled once."""
    return browser.new_context(color_scheme=scheme, viewport={"width": width_px, "height": 900})


def opened(context: BrowserContext, url: str) -> Page:
    return shown(context.new_page(), url)


def shown(page: Page, url: str) -> Page:
    page.goto(url)
    page.wait_for_selector("#page h1")
    for chart in page.locator(".chart").all():
        chart.locator(".main-svg").first.wait_for(state="attached")
    return page


def complaints(page: Page, where: str) -> list[str]:
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{where}: {rule['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for rule in found
        for node in rule["nodes"]
        # Mantine's menus hold an empty, focusable box of their own beside the items.
        if "not allowed: div[tabindex]" not in node["failureSummary"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_tab_breaks_a_rule_of_wcag_aa_and_its_headings_come_in_order(
    board: str, chromium: Browser, scheme: str
) -> None:
    found: list[str] = []
    with context(chromium, scheme=scheme) as browser:
        page = browser.new_page()  # one for all: a process of its own for each path is a third of the work
        for path in PATHS:
            shown(page, f"{board}{path}?from=now-1h&live=0")
            found += complaints(page, path)
            levels = [int(tag[1]) for tag in page.locator("h1,h2,h3,h4").evaluate_all("all => all.map(h => h.tagName)")]
            assert levels[0] == 1
            assert levels.count(1) == 1
            assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
            assert page.title().endswith(" · Scrapeboard")
    assert found == []


def test_a_board_without_any_metric_breaks_no_rule(app_on: AppOn, chromium: Browser) -> None:
    app = app_on()
    for scheme in ("light", "dark"):
        with context(chromium, scheme=scheme) as browser:
            assert complaints(opened(browser, app.url), scheme) == []


def test_what_opens_above_a_page_breaks_no_rule_either(board: str, chromium: Browser) -> None:
    page = opened(context(chromium), f"{board}/navigation?live=0")
    for name in ("Help", "Theme: light or dark", "Export this chart"):
        button = page.get_by_role("button", name=name).first
        button.click()
        page.wait_for_timeout(300)  # it fades in; half-faded text has too little contrast
        assert complaints(page, name) == []
        page.keyboard.press("Escape")
        button.and_(page.locator("[aria-expanded=false]")).wait_for()


FORMS = {
    "Edit: Low success rate": ".rule-verdict",
    "New rule": ".rule-preview p",
    "Import YAML": "#alerts-yaml",
    "New silence": ".mantine-Modal-body textarea",
    "New maintenance window": ".mantine-Modal-body textarea",
    "New channel": ".mantine-Modal-body input",
    "New schedule": ".rule-preview p",
}


@pytest.mark.parametrize(("scheme", "width_px"), [("light", 1440), ("dark", 390)])
def test_no_form_of_the_alerts_tab_breaks_a_rule_or_is_wider_than_a_phone(
    board: str, chromium: Browser, scheme: str, width_px: int
) -> None:
    page = opened(context(chromium, scheme=scheme, width_px=width_px), f"{board}/alerts?live=0")
    for name, shown in FORMS.items():
        page.get_by_role("button", name=name).click()
        page.locator(shown).first.wait_for()
        dialog = page.get_by_role("dialog")
        dialog.wait_for()
        # It slides or fades in; half-faded text has too little contrast.
        page.wait_for_function(
            "box => box.getAnimations({subtree: true}).every(one => one.playState === 'finished')"
            " && getComputedStyle(box).opacity === '1'",
            arg=dialog.element_handle(),
        )
        assert complaints(page, name) == []
        too_wide = dialog.evaluate("box => box.scrollWidth - box.clientWidth")
        assert too_wide <= 0, name
        dialog.get_by_role("button", name="Close").click()
        dialog.wait_for(state="hidden")


def test_nothing_is_wider_than_a_phone(board: str, chromium: Browser) -> None:
    with context(chromium, width_px=390) as browser:
        page = browser.new_page()
        for path in PATHS:
            shown(page, f"{board}{path}?from=now-1h&live=0")
            too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert too_wide <= 0, path
