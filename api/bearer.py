"""Who may write over HTTP: whoever has the token, where one is configured."""

from __future__ import annotations

import hmac

from flask import Response, request

from api.answers import problem


def refused(token: str | None) -> Response | None:
    """Return the answer to a request without the token, None for one that may go on.

    Args:
        token: The bearer token that is needed, or None for none.
    """
    if token is None:
        return None
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode()):
        return None
    answer = problem(401, "this app needs a token: send the header Authorization: Bearer <SCRAPEBOARD_TOKEN>")
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer
