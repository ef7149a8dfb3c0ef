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
URL: Final = "url"
VIEW: Final = "view"

# The controls of the filter bar.
FILTER_APPLY: Final = "filter-apply"
FILTER_CHIPS: Final = "filter-chips"
FILTER_ERROR: Final = "filter-error"
FILTER_FROM: Final = "filter-from"
FILTER_KIND: Final = "filter-kind"
FILTER_KIND_BOX: Final = "filter-kind-box"
FILTER_LABELS: Final = "filter-labels"
FILTER_LIVE: Final = "filter-live"
FILTER_MORE: Final = "filter-more"
FILTER_MORE_LABEL: Final = "filter-more-label"
FILTER_OUTCOMES: Final = "filter-outcomes"
FILTER_POPOVER: Final = "filter-popover"
FILTER_PROBLEMS: Final = "filter-problems"
FILTER_Q: Final = "filter-q"
FILTER_RANGE: Final = "filter-range"
FILTER_RANGE_LABEL: Final = "filter-range-label"
FILTER_RESULT: Final = "filter-result"
FILTER_SOURCES: Final = "filter-sources"
FILTER_TO: Final = "filter-to"
