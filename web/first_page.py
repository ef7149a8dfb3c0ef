"""The page that a browser opens first travels with Dash's layout: once the scripts are there, all is there.

Which page that is, the layout's request tells as the address that it comes from. It is a guess that costs nothing when
it is wrong: the address itself is read in the browser, and the router loads the page unless it is there already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from flask import has_request_context, request

from components.shell import Shown
from components.view import View
from pages import find

# In the router's data of a page that came with the layout: the [path, query string] that it was built for. The router
# takes it out when it finds that the browser shows that address.
FIRST: Final = "first"


def first_page(showing: Callable[[str, str], Shown], sources: Callable[[], tuple[str, ...]]) -> Shown | None:
    """Return the page that the browser is about to show, None when that can't be told or has to be loaded later.

    Args:
        showing: (path, query string) -> the page of that address.
        sources: Every source that can be chosen.
    """
    # Dash asks for the layout once more when it starts, without a browser.
    come_from = urlsplit(request.referrer or "") if has_request_context() else None
    if come_from is None or come_from.netloc != request.host:
        return None
    path, search = come_from.path or "/", f"?{come_from.query}" if come_from.query else ""
    if find(View.parse(path, search).path).libraries:  # its scripts can only travel with an answer of the router
        return None
    shown = showing(path, search)
    if shown.data is None:
        return None
    return replace(shown, data={**shown.data, FIRST: [path, search]}, sources=sources())
