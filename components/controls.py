"""What the filter bar's controls say, and what touching one of them leads to: another view, or errors at its fields."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from components import ids
from components.timerange import QUICK_RANGES, MomentError, parse_moment
from components.view import View, range_problem
from components.view_text import label_problem

CUSTOM: Final = "custom"


@dataclass(frozen=True, slots=True)
class Controls:
    """What the controls of the bar say; names as in the query string.

    Args:
        range: A quick range's `from`, or "custom".
        from_: Text of the custom start.
        to: Text of the custom end.
        sources: Chosen sources.
        kind: `all`, `navigation` or `scrape`.
        result: `all`, `ok` or `failed`.
        outcomes: Chosen outcomes.
        error: A kind of error, or nothing.
        labels: Chosen labels, `key=value` each.
        q: Text searched for in URLs.
        live: Whether the page follows.
    """

    range: str = CUSTOM
    from_: str = ""
    to: str = ""
    sources: tuple[str, ...] = ()
    kind: str = "all"
    result: str = "all"
    outcomes: tuple[str, ...] = ()
    error: str = ""
    labels: tuple[str, ...] = ()
    q: str = ""
    live: bool = True

    @classmethod
    def of(cls, view: View) -> Controls:
        """Return what the controls say for a view."""
        quick = view.to == "now" and any(quick.from_ == view.from_ for quick in QUICK_RANGES)
        return cls(
            range=view.from_ if quick else CUSTOM, from_=view.from_, to=view.to, sources=view.sources, kind=view.kind,
            result=view.result, outcomes=view.outcomes, error=view.error, labels=view.labels, q=view.q, live=view.live,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What a touched control leads to: another view, or errors at the fields that were wrong."""

    view: View
    from_error: str = ""
    to_error: str = ""
    labels_error: str = ""


def answer(view: View, touched: str, controls: Controls, now_ms: int) -> Answer:
    """Apply the one control that was touched; the others may lag behind the address and are left alone.

    Args:
        view: What the address says now.
        touched: The touched control's id.
        controls: What the controls say.
        now_ms: What `now` is, epoch milliseconds.
    """
    match touched:
        case ids.FILTER_RANGE if controls.range != CUSTOM:
            return Answer(_settle(view, from_=controls.range, to="now"))
        case ids.FILTER_APPLY | ids.FILTER_FROM | ids.FILTER_TO:
            from_, to = controls.from_.strip() or "now-15m", controls.to.strip() or "now"
            from_error, to_error = custom_errors(from_, to, now_ms)
            if from_error or to_error:
                return Answer(view, from_error, to_error)
            return Answer(_settle(view, from_=from_, to=to))
        case ids.FILTER_SOURCES:
            return Answer(_settle(view, sources=controls.sources))
        case ids.FILTER_KIND:
            return Answer(_settle(view, kind=controls.kind))
        case ids.FILTER_RESULT:
            return Answer(_settle(view, result=controls.result))
        case ids.FILTER_OUTCOMES:
            return Answer(_settle(view, outcomes=controls.outcomes))
        case ids.FILTER_ERROR:
            return Answer(_settle(view, error=controls.error))
        case ids.FILTER_LABELS:
            problems = {label: label_problem(label) for label in controls.labels}
            usable = tuple(label for label, problem in problems.items() if not problem)
            return Answer(_settle(view, labels=usable), labels_error=" ".join(filter(None, problems.values())))
        case ids.FILTER_Q:
            return Answer(_settle(view, q=controls.q))
        case ids.FILTER_LIVE:
            return Answer(_settle(view, live=controls.live))
        case _:
            return Answer(view)


def custom_errors(from_: str, to: str, now_ms: int) -> tuple[str, str]:
    """Say what is wrong with a custom range, at which of its two fields.

    Args:
        from_: Text of the start.
        to: Text of the end.
        now_ms: What `now` is, epoch milliseconds.
    """
    errors = ["", ""]
    moments = [0, 0]
    for place, text in enumerate((from_, to)):
        try:
            moments[place] = parse_moment(text, now_ms, end=place == 1)
        except MomentError as exc:
            errors[place] = exc.message
    if not any(errors):
        errors[1] = range_problem(moments[0], moments[1])
    return errors[0], errors[1]


def _settle(view: View, **changes: Any) -> View:
    """Change a view and read it back from its own address, so that controls and address can't differ in form."""
    changed = replace(view, **changes)
    return View.parse(changed.path, changed.search())
