"""Attributes for assistive technology, whose names aren't Python's."""

from __future__ import annotations

from typing import Any


def aria(**said: str) -> dict[str, Any]:
    """Return `aria-*` attributes as keyword arguments for a component.

    >>> aria(label="Tabs")
    {'aria-label': 'Tabs'}
    """
    return {f"aria-{name}": value for name, value in said.items()}
