"""Recognizes pages that a site shows instead of its content to whom it takes for a robot."""

import re
from collections.abc import Iterator, Mapping

LOOKED_AT_CHARS = 32_768  # challenges say what they are at once
_SHORT_CHARS = 12_000  # of text without scripts and styles: challenge pages say little, articles a lot
_LARGE_CHARS = 65_536
_HEAD_CHARS = 8_192
_MANY_LINKS = 24
_REFUSALS = (401, 403, 405, 406, 409, 418, 429, 430, 468, 503)

_Marker = tuple[str, tuple[str, ...], re.Pattern[str]]


def _compile(*markers: tuple[str, str, str]) -> tuple[_Marker, ...]:
    return tuple((name, tuple(words.split("|")), re.compile(text, re.DOTALL)) for name, words, text in markers)


# What only the machinery of a protection writes into a page that it shows itself. One of them is enough.
# (whose, words of which one is in every match, what is looked for). The words come first because looking for a word
# takes a thousandth of what the expressions take, and nearly every page has none of them.
_CERTAIN = _compile(
    ("Cloudflare", "cf-chl-", r"cf-chl-"),
    ("Cloudflare", "_cf_chl_opt|cdn-cgi/challenge-platform/h/|cf-error-details", r"_cf_chl_opt|id=\"cf-error-details\""
     r"|cdn-cgi/challenge-platform/h/[bg]/orchestrate"),
    ("Cloudflare", "just a moment...|attention required!",
     r"<title>(?:just a moment\.\.\.|attention required! \| cloudflare)"),
    ("DataDome", "captcha-delivery.com", r"geo\.captcha-delivery\.com|ct\.captcha-delivery\.com"),
    ("PerimeterX", "px-captcha|_pxappid|captcha.px-cdn.net",
     r"id=[\"']px-captcha|window\._pxappid\s*=.{0,400}captcha|captcha\.px-cdn\.net"),
    ("Imperva", "incapsula", r"_incapsula_resource.{0,200}(?:incident|edet)|incapsula incident id"
     r"|request unsuccessful\. incapsula"),
    ("Akamai", "access denied",
     r"<title>access denied</title>.{0,600}(?:reference\s*(?:&#32;)?(?:#|&#35;)|errors\.edgesuite\.net)"),
    ("Akamai", "sec-if-cpt-container|akamai-bm-telemetry|_sec/cp_challenge",
     r"sec-if-cpt-container|akamai-bm-telemetry|_sec/cp_challenge"),
    ("AWS WAF", "awswaf", r"awswafcookiedomainlist|token\.awswaf\.com.{0,200}challenge\.js"),
    ("Kasada", "/149e9513-01fa-", r"/149e9513-01fa-4fb0-aad4-566afd725d1b/"),
    ("Distil", "pardon our interruption|distil_r_blocked|distilidentificationblock",
     r"<title>pardon our interruption|distil_r_blocked|distilidentificationblock"),
    ("Sucuri", "sucuri", r"sucuri website firewall - access denied|<title>sucuri"),
    ("Amazon", "/errors/validatecaptcha", r"action=\"/errors/validatecaptcha\""),
    ("Google", "detected unusual traffic", r"our systems have detected unusual traffic from your computer network"),
)  # fmt: skip

# What people could write about as well: it counts where the page says little else, more in the title, more with a
# status that refuses.
_LIKELY = _compile(
    ("Cloudflare", "checking your browser before|checking if the site",
     r"checking your browser before accessing|checking if the site connection is secure"),
    ("Cloudflare", "just a moment...|enable javascript and cookies",
     r"just a moment\.\.\.|enable javascript and cookies to continue"),
    ("captcha", "re human|re a human|not a robot|not a bot",
     r"\b(?:verify|confirm|prove|make sure)(?: that)? you(?:'re| are) (?:a )?(?:human|not a (?:ro)?bot)"),
    ("captcha", "are you human|are you a human|are you robot|are you a robot|not a robot",
     r"\bare you (?:a )?(?:human|robot)\b|\bi(?:'m| am) not a robot\b"),
    ("captcha", "security check|captcha",
     r"(?:complete|solve)(?: the| this| a)? (?:security check|captcha)|class=\"(?:g-recaptcha|h-captcha)"),
    ("access denied", " denied", r"\baccess(?: to this (?:page|site|resource))?(?: has been| is)? denied\b"),
    ("bot protection", "pardon our interruption|unusual traffic |unusual activity |automated access|automated requests",
     r"pardon our interruption|unusual (?:traffic|activity) (?:from|on)|automated (?:access|requests)"),
    ("bot protection", "you have been blocked| blocked",
     r"you have been blocked|your (?:ip|request) (?:address )?(?:has been|was|is) blocked"),
    ("captcha", "captcha", r"\bcaptcha\b"),
    ("bot protection", "ddos protection by|bot detection|security check",
     r"\b(?:ddos protection by|bot detection|security check)\b"),
    ("rate limit", "too many requests|rate limit exceeded", r"too many requests|rate limit exceeded"),
)  # fmt: skip

_TITLE = re.compile(r"<title[^>]*>(.{0,300}?)</title>", re.DOTALL)
_UNSEEN = re.compile(r"<(script|style|noscript|svg)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)|<[^>]*>", re.DOTALL)
_SPACES = re.compile(r"\s+")


def find_challenge(status_code: int | None, headers: Mapping[str, str] | None, body: str | bytes | None) -> str | None:
    """Say whose challenge or refusal a page is.

    The word alone doesn't make one: an article about captchas, or a shop with a captcha in its login form, isn't
    blocked. A page counts when it holds what only a protection's machinery writes, or when that is about all it says.

    Args:
        status_code: HTTP status of the answer.
        headers: Of the answer.
        body: The page, or its beginning; only 32 KB are looked at. A page of more than 64 KB, or with more than 24
            links in its first 8, is taken for content unless its status refuses.

    Returns:
        `Cloudflare`, `captcha`, ...; None when it is none.
    """
    named = _in_headers(headers)
    if named is not None:
        return named
    if status_code not in _REFUSALS and leads_on(body):
        return None
    text = _beginning(body)
    if not text:
        return None
    for name in _found_in(text, _CERTAIN):
        return name
    found = list(_found_in(text, _LIKELY))
    if not found:
        return None
    title = _TITLE.search(text)
    in_title = title is not None and any(_found_in(title[1], _LIKELY))
    seen_chars = len(_SPACES.sub(" ", _UNSEEN.sub(" ", text)))
    is_whole = len(text) < LOOKED_AT_CHARS  # a page that goes on and on has something to say
    score = len(found) + 2 * in_title + 2 * (status_code in _REFUSALS)
    if is_whole and seen_chars < 300:
        score += 2
    elif is_whole and seen_chars < 1500:
        score += 1
    elif seen_chars > _SHORT_CHARS or not is_whole:
        score -= 3
    return found[0] if score >= 4 else None


def leads_on(body: object) -> bool:
    """Say whether a page is content by its size or its links: no protection's page has so much, and this is quick."""
    if isinstance(body, str):
        return len(body) > _LARGE_CHARS or body.count("href=", 0, _HEAD_CHARS) > _MANY_LINKS
    if isinstance(body, bytes):
        return len(body) > _LARGE_CHARS or body.count(b"href=", 0, _HEAD_CHARS) > _MANY_LINKS
    return False


def _found_in(text: str, markers: tuple[_Marker, ...]) -> Iterator[str]:
    for name, words, pattern in markers:
        if any(word in text for word in words) and pattern.search(text):
            yield name


def _in_headers(headers: Mapping[str, str] | None) -> str | None:
    if headers is None:
        return None
    try:
        for name, value in headers.items():
            key = name.lower()
            if key == "cf-mitigated" and "challenge" in value.lower():
                return "Cloudflare"
            if key == "x-amzn-waf-action" and value.lower() in ("captcha", "challenge"):
                return "AWS WAF"
            if key in ("x-datadome-cid", "x-dd-b"):
                return "DataDome"
    except Exception:  # noqa: BLE001 - somebody's headers may be anything; then they say nothing
        return None
    return None


def _beginning(body: object) -> str:
    if isinstance(body, str):
        return body[:LOOKED_AT_CHARS].lower()
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body[:LOOKED_AT_CHARS]).decode("utf-8", "replace").lower()
    return ""
