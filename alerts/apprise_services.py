"""The services that apprise knows, by their addresses; it is large, and loaded when the first of them is needed."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from alerts.quiet import keep_quiet


@cache
def library() -> Any:
    """Load apprise; what it logs goes nowhere but into our results."""
    logging.getLogger("apprise").setLevel(logging.DEBUG)
    keep_quiet("apprise")

    import apprise

    return apprise


def understands(url: str) -> bool:
    """Say whether apprise can make something of an address.

    Args:
        url: Any text.
    """
    return service_of(url) is not None


def service_of(url: str) -> Any:
    """Return what apprise makes of an address, as it is to send for us; None when it doesn't understand it.

    Args:
        url: Any text.
    """
    apprise = library()
    asset = apprise.AppriseAsset(
        app_id="Scrapeboard",
        app_desc="Scrapeboard",
        app_url="",
        async_mode=False,  # in the thread of the attempt: its own threads would keep the program from ending
        service_timeout=0,  # the attempt has a deadline
        http_redirects=False,
        pgp_autogen=False,
        pem_autogen=False,
    )
    service = apprise.Apprise.instantiate(url, asset=asset)
    if service is not None and service.overflow_mode is apprise.OverflowMode.UPSTREAM:
        service.overflow_mode = apprise.OverflowMode.TRUNCATE  # services refuse what is too long for them
    return service
