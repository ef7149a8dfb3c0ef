"""plotly.js without the kinds of charts that nobody draws here: maps, three dimensions, and some forty more.

Its one file registers every kind when it starts, and that is most of what a page's first load computes. The list of
kinds stands at the file's end; here it is served with fewer names in it. Nothing else is touched: what isn't
registered is never called. A file that doesn't look as expected is served as it is.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

# What this package's figures are made of; `scatter` needs no registration.
KINDS: Final = frozenset({"bar", "heatmap", "pie", "scatterpolar"})
_LIST: Final = re.compile(r"\.register\(\[((?:[\w$]+\(\),)*[\w$]+\(\))\]\)")
_PART: Final = re.compile(r"\bvar ([\w$]+)=[\w$]+\(\(?[\w$]+(?:,[\w$]+)*\)?=>\{")
_TELLS: Final = re.compile(r'\bmoduleType:"\w+",name:"(\w+)"')
_CALL: Final = re.compile(r"(?<![\w$.])([\w$]+)\(\)")
_LONGEST_PASSING_ON: Final = 1_000  # characters of a part that only hands on another one
_MOST_STEPS: Final = 4


def with_needed_kinds(script: str) -> str:
    """Return plotly.js with no other kinds of charts than `KINDS`; what can't be told apart stays.

    Args:
        script: The whole file.
    """
    lists = list(_LIST.finditer(script))
    if len(lists) != 1:
        return script
    found = list(_PART.finditer(script))
    starts = [*(part.start() for part in found), len(script)]
    parts = {part[1]: span for part, span in zip(found, pairwise(starts), strict=True)}

    def kind_of(name: str, steps: int = _MOST_STEPS) -> str | None:
        start, end = parts.get(name, (0, 0))
        text = script[start:end]
        if told := _TELLS.search(text):
            return told[1]
        if steps == 0 or len(text) > _LONGEST_PASSING_ON:
            return None
        return next((kind for other in _CALL.findall(text) if (kind := kind_of(other, steps - 1))), None)

    kinds = {name: kind_of(name) for name in _CALL.findall(lists[0][1])}
    if not KINDS.issubset(kinds.values()):
        return script
    kept = ",".join(f"{name}()" for name, kind in kinds.items() if kind is None or kind in KINDS)
    return f"{script[: lists[0].start(1)]}{kept}{script[lists[0].end(1) :]}"
