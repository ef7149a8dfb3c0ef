"""Lengths of time as people write them: `90s`, `5m`, `2h`, `7d`."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer

_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_TAKES: Final = "takes a length of time like 90s, 5m, 2h, 1h30m or 7d"
_LONGEST_S: Final = 400 * 86_400


def seconds(value: Any) -> float:
    """Return a length of time in seconds.

    Args:
        value: A number of seconds, or a text.

    Raises:
        ValueError: It is neither, negative, or longer than 400 days.
    """
    found: float
    if isinstance(value, bool):
        raise ValueError(_TAKES)
    if isinstance(value, (int, float)):
        found = float(value)
    elif isinstance(value, str) and 0 < len(value) <= 40:
        text = value.strip().lower()
        if re.fullmatch(r"\d+(\.\d+)?", text):
            found = float(text)
        elif text and not _PART.sub("", text).strip():
            found = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
        else:
            raise ValueError(_TAKES)
    else:
        raise ValueError(_TAKES)
    if not math.isfinite(found) or not 0 <= found <= _LONGEST_S:
        raise ValueError(f"{_TAKES}, from 0s to 400d")
    return found


def written(length_s: float) -> str:
    """Write a length of time so that `seconds` reads the same.

    Args:
        length_s: Seconds.
    """
    if length_s != int(length_s):
        return f"{length_s:g}s"
    left = int(length_s)
    parts: list[str] = []
    for unit, size in reversed(_SECONDS.items()):
        if left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    return "".join(parts) or "0s"


def said(length_s: float) -> str:
    """Return a length of time for people, in its two largest units: "2 h 5 min".

    Args:
        length_s: Seconds.
    """
    left = round(abs(length_s))
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    largest = next((place for place, (_, size) in enumerate(units) if left >= size), len(units) - 1)
    parts: list[str] = []
    for name, size in units[largest : largest + 2]:
        if left >= size or not parts:
            parts.append(f"{left // size} {name}")
        left %= size
    return " ".join(parts)


Length = Annotated[float, BeforeValidator(seconds), PlainSerializer(written, return_type=str)]
