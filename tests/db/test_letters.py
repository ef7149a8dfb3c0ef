"""Letters become small as `bytes.lower` makes them."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from db.letters import lowered


@given(st.binary(max_size=300))
@example(bytes(range(256)))
@example(b"already small 19 /?&=")
@example(b"")
def test_letters_are_made_small(text: bytes) -> None:
    assert lowered(text) == text.lower()
