"""The ids of the shell's components, in one place because the router, the live channel and tests address them."""

from __future__ import annotations

from typing import Final

APP_SHELL: Final = "app-shell"
BURGER: Final = "burger"
COLOUR_SCHEME: Final = "colour-scheme"
DATABASE_BANNER: Final = "database-banner"
FILTER_BAR: Final = "filter-bar"
KEEPALIVE: Final = "keepalive"
LIVE_PILL: Final = "live-pill"
NAV: Final = "nav"
PAGE: Final = "page"
PROVIDER: Final = "provider"
TITLE: Final = "title"
URL: Final = "url"
VIEW: Final = "view"

# The controls of the filter bar.
FILTER_APPLY: Final = "filter-apply"
FILTER_FROM: Final = "filter-from"
FILTER_LIVE: Final = "filter-live"
FILTER_POPOVER: Final = "filter-popover"
FILTER_Q: Final = "filter-q"
FILTER_RANGE: Final = "filter-range"
FILTER_RANGE_LABEL: Final = "filter-range-label"
FILTER_RESULT: Final = "filter-result"
FILTER_SOURCES: Final = "filter-sources"
FILTER_TO: Final = "filter-to"
