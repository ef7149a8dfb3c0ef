"""The words of a rule's message: plain names in braces, nothing that could fail when it matters."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from string import Formatter
from typing import Final

NAMES: Final = (
    "rule", "key", "what", "value", "threshold", "window", "samples", "severity", "count", "reason", "for", "field",
)  # fmt: skip
_MOST_CHARS: Final = 2_000


def checked(template: str, names: Collection[str] = NAMES) -> str:
    """Return a template if it can be filled in.

    Args:
        template: Text with names in braces; `{{` and `}}` stand for braces.
        names: Those that are known.

    Raises:
        ValueError: It has a mistake, or a name that nobody knows.
    """
    takes = "takes text with names in braces, these: " + ", ".join(f"{{{name}}}" for name in names)
    if len(template) > _MOST_CHARS:
        raise ValueError(f"takes at most {_MOST_CHARS} characters")
    try:
        parts = list(Formatter().parse(template))
    except ValueError as exc:
        raise ValueError(f"{takes}; {exc}") from exc
    for _, name, form, conversion in parts:
        if name is not None and (name not in names or form or conversion):
            raise ValueError(
                f"{takes}; not {{{name}{'!' + conversion if conversion else ''}{':' + form if form else ''}}}"
            )
    return template


def filled(template: str, facts: Mapping[str, str]) -> str:
    """Fill a template in; a name that isn't known stays as it is.

    Args:
        template: One that `checked` has returned.
        facts: Texts by name.
    """
    parts = []
    for text, name, _, _ in Formatter().parse(template):
        parts.append(text)
        if name is not None:
            parts.append(facts.get(name, f"{{{name}}}"))
    return "".join(parts)
