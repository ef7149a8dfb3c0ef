"""The fate of a request: repeatable, within bounds, and over after the next attempt where it shall be."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from examples.trouble import PROFILES, Profile, Trouble, decide

PASSING = {Trouble.UNAVAILABLE, Trouble.RATE_LIMITED, Trouble.STALLED}
LASTING = {Trouble.REMOVED, Trouble.EMPTY, Trouble.HUNG}
profiles = st.sampled_from(sorted(PROFILES)).map(PROFILES.__getitem__)
pages = st.text(min_size=1, max_size=30)


@given(profile=profiles, seed=st.integers(), page=pages, attempt=st.integers(1, 1000))
def test_the_same_request_always_meets_the_same_fate_within_the_profiles_bounds(
    profile: Profile, seed: int, page: str, attempt: int
) -> None:
    fate = decide(profile, seed=seed, page=page, attempt=attempt)
    assert fate == decide(profile, seed=seed, page=page, attempt=attempt)
    assert profile.fastest_ms <= fate.delay_ms <= profile.slowest_ms


@given(seed=st.integers(), page=pages, attempt=st.integers(1, 1000))
def test_what_passes_is_over_on_the_next_attempt(seed: int, page: str, attempt: int) -> None:
    stormy = Profile(unavailable=0.3, rate_limited=0.2, stalled=0.1)
    now, then = (decide(stormy, seed=seed, page=page, attempt=attempt + step).trouble for step in (0, 1))
    assert now not in PASSING or then is Trouble.NONE


def test_what_passes_comes_back_now_and_then() -> None:
    stormy = Profile(unavailable=0.5)
    met = [decide(stormy, seed=1, page="a.html", attempt=attempt).trouble for attempt in range(1, 100)]
    assert met.count(Trouble.UNAVAILABLE) > 10


@given(seed=st.integers(), page=pages)
def test_what_lasts_is_the_same_on_every_attempt(seed: int, page: str) -> None:
    ruin = Profile(removed=0.3, empty=0.3, hung=0.4, challenge=1)
    assert len({decide(ruin, seed=seed, page=page, attempt=attempt).trouble for attempt in range(1, 6)}) == 1


@given(seed=st.integers(), page=st.sampled_from(["", "index.html"]))
def test_the_start_page_never_goes_away(seed: int, page: str) -> None:
    assert decide(Profile(removed=1.0), seed=seed, page=page, attempt=1).trouble is Trouble.NONE


def test_a_seed_means_the_same_trouble_in_every_process_and_python_version() -> None:
    fate = decide(PROFILES["rough"], seed=1, page="library/json.html", attempt=1)
    assert fate.trouble is Trouble.NONE
    assert round(fate.delay_ms, 6) == 312.359337


def test_every_kind_of_trouble_comes_about_as_often_as_the_profile_says() -> None:
    rough = PROFILES["rough"]
    met = Counter(decide(rough, seed=7, page=f"{number}.html", attempt=1).trouble for number in range(20_000))
    assert set(met) == set(Trouble)
    lasting = rough.removed + rough.empty + rough.hung
    for kind in PASSING | LASTING:
        expected = getattr(rough, kind.value) * (1 - (lasting if kind in PASSING else 0)) * 20_000
        assert 0.6 * expected < met[kind] < 1.4 * expected
