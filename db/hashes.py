"""Numbers for texts: what is grouped by URL or by error is grouped by 64 bits of it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import xxhash

from db.error_kinds import kind_of_error

HashArray = npt.NDArray[np.uint64]
NO_ERROR = 0  # the error hash of what went well
ENCODING = ("utf-8", "surrogatepass")  # of texts that are hashed


def hash_of(text: str) -> int:
    """Return 64 bits of a text, the same in every process; among a million texts two are equal once in 37 million."""
    # No text that came in over the wire has lone surrogates, but nothing may depend on it.
    return xxhash.xxh3_64_intdigest(text.encode(*ENCODING))


def error_hash(error: str | None, success: bool) -> int:
    """Return the number of an error's kind, NO_ERROR for a success."""
    return NO_ERROR if success else hash_of(kind_of_error(error or ""))


def hashes_of(texts: Iterable[str]) -> HashArray:
    """Return the numbers of some texts, uint64[n]."""
    return np.array([hash_of(text) for text in texts], dtype=np.uint64)
