"""Which alerts somebody means: `source=shop-*`, `domain!=example.org`, as rules and silences write them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}"
_FORM: Final = re.compile(rf"({_NAME})\s*(!?=)\s*(.*)", re.DOTALL)
_TAKES: Final = "takes texts like source=shop-* or domain!=example.org (* stands for any characters)"
_MOST: Final = 50
_MOST_CHARS: Final = 200
_MOST_STARS: Final = 5  # what a pattern costs grows with them


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label.

    Args:
        name: The label's name.
        pattern: What its value looks like; `*` and `?` stand for any characters.
        negated: True for `!=`.
    """

    name: str
    pattern: str
    negated: bool

    def takes(self, value: str) -> bool:
        """Say whether a label's value fulfils this; a label that isn't there has the value ""."""
        return (_compiled(self.pattern).match(value) is not None) != self.negated


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))


@lru_cache(maxsize=4096)
def matcher(text: str) -> Matcher:
    """Read a matcher.

    Args:
        text: `name=pattern` or `name!=pattern`.

    Raises:
        ValueError: It isn't one.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None or len(text) > _MOST_CHARS or found[3].count("*") > _MOST_STARS:
        raise ValueError(f"{_TAKES}, at most {_MOST_CHARS} characters and {_MOST_STARS} stars")
    return Matcher(found[1], found[3].strip(), found[2] == "!=")


def match(texts: Collection[str], labels: Mapping[str, str]) -> bool:
    """Say whether labels fulfil every one of some matchers.

    Several with `=` for the same name mean any of these; no matcher at all takes everything.

    Args:
        texts: The matchers.
        labels: Values by name.
    """
    wanted: dict[str, bool] = {}
    for text in texts:
        one = matcher(text)
        fits = one.takes(labels.get(one.name, ""))
        if one.negated:
            if not fits:
                return False
        else:
            wanted[one.name] = wanted.get(one.name, False) or fits
    return all(wanted.values())


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _checked(texts: tuple[str, ...]) -> tuple[str, ...]:
    if len(texts) > _MOST:
        raise ValueError(f"takes at most {_MOST} matchers")
    for text in texts:
        matcher(text)
    return texts


Matchers = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_checked)]
