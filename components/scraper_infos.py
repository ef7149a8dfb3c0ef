"""Chart infos of one scraper's page: where pages get lost on the way to items, and results over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from charts.info import ACCENT_KEY, FAILED_KEY, OK_KEY, WARNING_KEY, BarInfo
from components.numbers import count, percent
from components.scheduler_infos import bucket_names
from db.results import Series, TimeRange

_USABLE: Final = "ok"


def funnel(navigations: Series, scrapes: Series, outcomes: Mapping[str, int], with_items: int | None) -> BarInfo:
    """Draw how many pages are left after each step from a navigation to items.

    Args:
        navigations: The navigations alone.
        scrapes: The scrapes alone.
        outcomes: Outcome -> scrapes.
        with_items: Scrapes that brought at least one item; None when that isn't known: the step is left out.
    """
    tried = int(navigations.navigations.sum())
    steps = [
        ("navigations", tried),
        ("loaded", int(navigations.successes.sum())),
        ("scrapes", int(scrapes.scrapes.sum())),
        ("outcome ok", outcomes.get(_USABLE, 0)),
    ]
    if with_items is not None:
        steps.append(("with items", with_items))
    last = f"{percent(100 * steps[-1][1] / tried)} of the navigations" if tried else "no navigation is recorded"
    unknown = " Which scrapes brought items isn’t kept for so long a range." if with_items is None else ""
    return BarInfo(
        title="From page to items",
        description=f"{', '.join(f'{count(value)} {name}' for name, value in steps)}: {last}.{unknown}",
        categories=tuple(name for name, _ in steps),
        values=tuple(value for _, value in steps),
        horizontal=True,
        colour_keys=(ACCENT_KEY,) * len(steps),
        value_title="pages",
    )


def results(navigations: Series, scrapes: Series, range: TimeRange) -> BarInfo:
    """Draw what went well and what failed in each bucket, failed navigations and failed scrapes apart, stacked.

    Args:
        navigations: The navigations alone.
        scrapes: The scrapes alone.
        range: The buckets.
    """
    failed = int(navigations.errors.sum()), int(scrapes.errors.sum())
    ok = navigations.successes + scrapes.successes
    return BarInfo(
        title="Results over time",
        description=f"Navigations and scrapes per bucket: {count(int(ok.sum()))} went well, {count(failed[0])} "
        f"navigations and {count(failed[1])} scrapes failed.",
        categories=bucket_names(range),
        groups=(("ok", ok), ("failed navigations", navigations.errors), ("failed scrapes", scrapes.errors)),
        colour_keys=(OK_KEY, FAILED_KEY, WARNING_KEY),
        stacked=True,
        value_title="metrics",
        ordered=True,
    )
