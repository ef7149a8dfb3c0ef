"""A library that isn't there: the integration says what to install, and nothing else is the worse for it."""

from __future__ import annotations

import importlib
import sys

import pytest

# Integration -> the module that it imports first.
NEEDED = {
    "aiohttp": "aiohttp", "apscheduler": "apscheduler", "celery": "celery", "httpx": "httpx",
    "playwright": "playwright", "requests": "requests", "scrapy": "itemadapter",
    "selenium": "selenium.common.exceptions",
}  # fmt: skip


@pytest.mark.parametrize("name", NEEDED)
def test_an_integration_without_its_library_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = f"collector.integrations.{name}"
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, NEEDED[name], None)  # what Python takes for "can't be imported"
    with pytest.raises(ImportError, match=rf"{module} can't import its library .*: pip install '{name}"):
        importlib.import_module(module)
