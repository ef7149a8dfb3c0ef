"""Recognizes pages that a site shows instead of its content to whom it takes for a robot."""

import re
from collections.abc import Mapping

LOOKED_AT_CHARS = 32_768  # challenges say what they are at once
_SHORT_CHARS = 12_000  # of text without scripts and styles: challenge pages say little, articles a lot
_REFUSALS = (401, 403, 405, 406, 409, 418, 429, 430, 468, 503)

# What only the machinery of a protection writes into a page that it shows itself. One of them is enough.
_CERTAIN: tuple[tuple[str, str], ...] = (
    ("Cloudflare", r"cf-chl-|_cf_chl_opt|cdn-cgi/challenge-platform/h/[bg]/orchestrate|id=\"cf-error-details\""),
    ("Cloudflare", r"<title>(?:just a moment\.\.\.|attention required! \| cloudflare)"),
    ("DataDome", r"geo\.captcha-delivery\.com|ct\.captcha-delivery\.com"),
    ("PerimeterX", r"id=[\"']px-captcha|window\._pxappid\s*=.{0,400}captcha|captcha\.px-cdn\.net"),
    ("Imperva", r"_incapsula_resource.{0,200}(?:incident|edet)|incapsula incident id|request unsuccessful\. incapsula"),
    ("Akamai", r"<title>access denied</title>.{0,600}(?:reference\s*(?:&#32;)?(?:#|&#35;)|errors\.edgesuite\.net)"),
    ("Akamai", r"sec-if-cpt-container|akamai-bm-telemetry|_sec/cp_challenge"),
    ("AWS WAF", r"awswafcookiedomainlist|token\.awswaf\.com.{0,200}challenge\.js"),
    ("Kasada", r"/149e9513-01fa-4fb0-aad4-566afd725d1b/"),
    ("Distil", r"<title>pardon our interruption|distil_r_blocked|distilidentificationblock"),
    ("Sucuri", r"sucuri website firewall - access denied|<title>sucuri"),
    ("Amazon", r"action=\"/errors/validatecaptcha\""),
    ("Google", r"our systems have detected unusual traffic from your computer network"),
)

# What people could write about as well: it counts where the page says little else, more in the title, more with a
# status that refuses.
_LIKELY: tuple[tuple[str, str], ...] = (
    ("Cloudflare", r"checking your browser before accessing|checking if the site connection is secure"),
    ("Cloudflare", r"just a moment\.\.\.|enable javascript and cookies to continue"),
    ("captcha", r"\b(?:verify|confirm|prove|make sure)(?: that)? you(?:'re| are) (?:a )?(?:human|not a (?:ro)?bot)"),
    ("captcha", r"\bare you (?:a )?(?:human|robot)\b|\bi(?:'m| am) not a robot\b"),
    ("captcha", r"(?:complete|solve)(?: the| this| a)? (?:security check|captcha)|class=\"(?:g-recaptcha|h-captcha)"),
    ("access denied", r"\baccess(?: to this (?:page|site|resource))?(?: has been| is)? denied\b"),
    (
        "bot protection",
        r"pardon our interruption|unusual (?:traffic|activity) (?:from|on)|automated (?:access|requests)",
    ),
    ("bot protection", r"you have been blocked|your (?:ip|request) (?:address )?(?:has been|was|is) blocked"),
    ("captcha", r"\bcaptcha\b"),
    ("bot protection", r"\b(?:ddos protection by|bot detection|security check)\b"),
    ("rate limit", r"too many requests|rate limit exceeded"),
)

_CERTAIN_PATTERN = re.compile("|".join(f"(?P<c{n}>{text})" for n, (_, text) in enumerate(_CERTAIN)), re.DOTALL)
_LIKELY_PATTERNS = tuple((name, re.compile(text)) for name, text in _LIKELY)
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
        body: The page, or its beginning; only 32 KB are looked at.

    Returns:
        `Cloudflare`, `captcha`, ...; None when it is none.
    """
    named = _in_headers(headers)
    if named is not None:
        return named
    text = _beginning(body)
    if not text:
        return None
    certain = _CERTAIN_PATTERN.search(text)
    if certain is not None and certain.lastgroup is not None:
        return _CERTAIN[int(certain.lastgroup[1:])][0]
    found = [name for name, pattern in _LIKELY_PATTERNS if pattern.search(text)]
    if not found:
        return None
    title = _TITLE.search(text)
    in_title = title is not None and any(pattern.search(title[1]) for _, pattern in _LIKELY_PATTERNS)
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
