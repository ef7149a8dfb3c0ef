"""The theme: what a browser's cookie says, and that the frame starts with it."""

from __future__ import annotations

import pytest

from components import ids
from components.shell import shell
from components.theme_picker import COOKIE, Theme, forced, theme_of
from tests.pages.tree import find_id


@pytest.mark.parametrize(("said", "theme"), [("light", "light"), ("dark", "dark"), ("auto", "auto"), ("<b>", "auto")])
def test_a_cookie_that_names_no_theme_is_as_good_as_none(said: str, theme: Theme) -> None:
    assert theme_of({COOKIE: said}) == theme
    assert theme_of({}) == "auto"


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_the_frame_starts_with_the_chosen_theme(theme: Theme) -> None:
    frame = shell(theme)
    assert find_id(frame, ids.COLOUR_SCHEME).value == theme
    assert find_id(frame, ids.PROVIDER).forceColorScheme == forced(theme)
    assert forced("auto") is None
