"""The page that Dash is started from: its language, its theme before anything is drawn, and no title of its own."""

from __future__ import annotations

import re
from typing import Any, Final

from dash import Dash
from flask import request

from components.theme_picker import forced, theme_of

# What Dash asks for when its scripts run is on its way by then (see web.first_page for what the layout is).
# No <title>: a document's title is its first one, and the shell has one that changes with the page.
_INDEX: Final = """<!DOCTYPE html>
<html lang="en">
    <head>
        {%metas%}
        <link rel="preload" as="fetch" crossorigin href="{%prefix%}_dash-layout">
        <link rel="preload" as="fetch" crossorigin href="{%prefix%}_dash-dependencies">
        {%favicon%}
        {%css%}
    </head>
    <body>
        {%app_entry%}
        <footer>
            {%config%}
            {%scripts%}
            {%renderer%}
        </footer>
    </body>
</html>"""


class ThemedDash(Dash):
    """Dash, with a start page that has the chosen theme from its first moment."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, index_string=_INDEX, **kwargs)
        # Path of a script that isn't served as it is installed -> hexadecimal digits for its address, which browsers
        # remember for a year.
        self.revisions: dict[str, str] = {}

    def interpolate_index(self, **kwargs: Any) -> str:  # type: ignore[override]  # Dash names each, and types none
        """Return the start page for the browser that asks."""
        page: str = super().interpolate_index(**kwargs)  # type: ignore[no-untyped-call]
        page = page.replace("{%prefix%}", self.config.requests_pathname_prefix)
        for path, digits in self.revisions.items():
            folder, _, file = path.rpartition("/")
            name, _, ending = file.partition(".")
            place = re.escape(f"/{folder}/{name}.v")
            page = re.sub(rf"({place}[\w-]+m[0-9a-f]+)(?=\.{re.escape(ending)}\b)", rf"\g<1>{digits}", page)
        scheme = forced(theme_of(request.cookies))
        return page.replace("<html ", f'<html data-mantine-color-scheme="{scheme}" ', 1) if scheme else page
