"""What a site does wrong, and when: a pure function of seed, page and attempt, so that a run can be repeated."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Trouble(StrEnum):
    """One way in which a page load goes, named after what the visitor meets."""

    NONE = "none"
    REMOVED = "removed"  # 404: the page is gone, links to it are still there
    EMPTY = "empty"  # 200 with no content at all
    HUNG = "hung"  # never answers, on no attempt
    UNAVAILABLE = "unavailable"  # 503, the next attempt succeeds
    RATE_LIMITED = "rate_limited"  # 429 with Retry-After, the next attempt succeeds
    STALLED = "stalled"  # silent for longer than any client waits, the next attempt succeeds
    CHALLENGE = "challenge"  # 200, but the page asks whether the visitor is human
    CUT = "cut"  # the connection breaks off in the middle of the body
    REDESIGNED = "redesigned"  # 200 with the real text, in markup that the scraper doesn't know


@dataclass(frozen=True, slots=True)
class Profile:
    """How often a site makes trouble, as shares 0..1, and how fast it answers.

    Args:
        fastest_ms, slowest_ms: bounds of the time until an answer starts, milliseconds.
        skew: 1 spreads answers evenly (on a log scale) between the bounds; larger means mostly fast.
        removed, empty, hung: share of pages that are so on every attempt (never the start page).
        unavailable, rate_limited, stalled: share of attempts that fail so; never two in a row.
        challenge, cut, redesigned: share of all attempts that get so.
    """

    fastest_ms: float = 4.0
    slowest_ms: float = 400.0
    skew: float = 2.0
    removed: float = 0.0
    empty: float = 0.0
    hung: float = 0.0
    unavailable: float = 0.0
    rate_limited: float = 0.0
    stalled: float = 0.0
    challenge: float = 0.0
    cut: float = 0.0
    redesigned: float = 0.0


PROFILES: Mapping[str, Profile] = {
    "calm": Profile(slowest_ms=120, removed=0.01, empty=0.002, unavailable=0.02, challenge=0.002),
    "everyday": Profile(
        removed=0.02, empty=0.008, hung=0.002, unavailable=0.05, rate_limited=0.02, stalled=0.008,
        challenge=0.01, cut=0.005, redesigned=0.005,
    ),
    "rough": Profile(
        fastest_ms=20, skew=1.2, removed=0.05, empty=0.02, hung=0.008, unavailable=0.12, rate_limited=0.08,
        stalled=0.015, challenge=0.07, cut=0.015, redesigned=0.025,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fate:
    """How one request will be answered: with which trouble, and after how many milliseconds."""

    trouble: Trouble
    delay_ms: float


def decide(profile: Profile, *, seed: int, page: str, attempt: int) -> Fate:
    """Decide what a visitor meets who asks for a page for the nth time.

    Args:
        profile: how troubled the site is.
        seed: another seed is another, equally troubled site.
        page: the page's path below the site's root, "" for the start page.
        attempt: 1 for a visitor's first request for this page.

    Returns:
        Always the same fate for the same arguments.
    """
    delay_ms = profile.fastest_ms * (profile.slowest_ms / profile.fastest_ms) ** (
        _draw(seed, "delay", page, attempt) ** profile.skew
    )
    lasting = {Trouble.REMOVED: profile.removed, Trouble.EMPTY: profile.empty, Trouble.HUNG: profile.hung}
    passing = {
        Trouble.UNAVAILABLE: profile.unavailable,
        Trouble.RATE_LIMITED: profile.rate_limited,
        Trouble.STALLED: profile.stalled,
    }
    any_time = {
        Trouble.CHALLENGE: profile.challenge,
        Trouble.CUT: profile.cut,
        Trouble.REDESIGNED: profile.redesigned,
    }
    trouble = Trouble.NONE
    if page not in ("", "index.html"):  # a site whose start page is gone can't be crawled at all
        trouble = _pick(lasting, _draw(seed, "lasting", page, 0))
    fine_before = attempt == 1 or _pick(passing, _draw(seed, "passing", page, attempt - 1)) is Trouble.NONE
    if trouble is Trouble.NONE and fine_before:
        trouble = _pick(passing, _draw(seed, "passing", page, attempt))
    if trouble is Trouble.NONE:
        trouble = _pick(any_time, _draw(seed, "any time", page, attempt))
    return Fate(trouble, delay_ms)


def _draw(seed: int, what: str, page: str, attempt: int) -> float:
    """Return the number in 0..1 that belongs to these words, the same in every process and Python version."""
    words = f"{seed}\n{what}\n{page}\n{attempt}".encode()
    return int.from_bytes(hashlib.blake2b(words, digest_size=7).digest()) / 2**56


def _pick(shares: Mapping[Trouble, float], drawn: float) -> Trouble:
    for trouble, share in shares.items():
        if drawn < share:
            return trouble
        drawn -= share
    return Trouble.NONE
