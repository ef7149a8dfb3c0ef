"""Forms of the Alerts tab in Chromium: a schedule with its next moments, and rules that come as a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from collector.client import Collector
from tests.browser.conftest import CHROMIUM, FLAGS, App

AppOn = Callable[..., App]
Scraper = Callable[[str], Collector]
WAIT_MS = 60_000


def test_schedules_are_declared_changed_and_deleted_and_rules_come_as_a_file(
    app_on: AppOn, scraper: Scraper, tmp_path: Path
) -> None:
    app = app_on()
    collector = scraper(app.url)
    collector.record_scheduler_metric("zebra-nightly", execution_duration_ms=40)
    assert collector.flush(timeout_s=90)
    good, bad = tmp_path / "rules.yaml", tmp_path / "bad.yaml"
    good.write_text("rules:\n- {id: zebra, name: Zebra, what: error_count, threshold: 5}\n", "utf-8")
    bad.write_text("rules:\n- {id: zebra, name: Zebra, what: stripes, threshold: 5}\n", "utf-8")
    said: list[str] = []
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        page = browser.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.goto(f"{app.url}/alerts")
        dialog, listed = page.get_by_role("dialog"), page.locator("#alerts-schedules")

        page.get_by_role("button", name="New schedule").click()
        dialog.get_by_role("textbox", name="Job").fill("zebra-nightly")
        dialog.get_by_label("Cron").fill("99 2 * * *")
        expect(dialog).to_contain_text("takes five fields")
        dialog.get_by_label("Cron").fill("30 2 29 2 *")
        expect(page.locator("#alerts-schedule-preview li")).to_have_count(3)
        expect(dialog).to_contain_text("29 Feb")
        dialog.get_by_role("button", name="Save").click()
        expect(listed).to_contain_text("30 2 29 2 * (UTC)")

        page.get_by_role("button", name="Edit: zebra-nightly").click()
        dialog.get_by_label("Time zone").fill("Europe/Berlin")
        expect(page.locator("#alerts-schedule-preview")).to_contain_text("CET")
        dialog.get_by_role("button", name="Save").click()
        expect(listed).to_contain_text("(Europe/Berlin)")
        page.get_by_role("button", name="Edit: zebra-nightly").click()
        dialog.get_by_role("button", name="Delete").click()
        expect(listed).to_contain_text("No schedule is declared")

        page.get_by_role("button", name="Import YAML").click()
        dialog.locator("input[type=file]").set_input_files(bad)
        expect(dialog.get_by_role("alert")).to_contain_text("Zebra")
        dialog.locator("input[type=file]").set_input_files(good)
        expect(dialog.get_by_label("Rules")).to_have_value(good.read_text("utf-8"))
        expect(dialog.get_by_role("alert")).to_have_text("")
        dialog.get_by_role("button", name="Import", exact=True).click()
        expect(page.locator("#alerts-rules")).to_contain_text("Zebra")
        browser.close()
    assert said == []
