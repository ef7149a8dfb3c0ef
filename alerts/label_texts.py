"""Labels of rows as names and values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import orjson


@lru_cache(maxsize=65_536)
def labels_of(text: str | None) -> Mapping[str, str]:
    """Return labels as `db.labels` writes them.

    Args:
        text: A JSON object, or None.
    """
    if not text:
        return {}
    try:
        labels = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}  # somebody else wrote it
    return labels if isinstance(labels, dict) else {}
