"""What the web framework itself refuses below `/api` and at `/metrics`, told as everything else there: in JSON."""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import RequestRedirect

from api.answers import problem

# Every path below /api that nothing else answers (api.health).
UNKNOWN: Final = "health.unknown"
_IMPLIED: Final = {"HEAD", "OPTIONS"}


def tell_in_json(server: Flask) -> None:
    """Answer programs with JSON also where no route of ours has the word; browsers' pages keep what they had.

    Args:
        server: The app, with all its routes.
    """

    @server.errorhandler(HTTPException)
    def refused(exc: HTTPException) -> Response | HTTPException:
        if not request.path.startswith(("/api/", "/metrics")) or exc.code is None or exc.response is not None:
            return exc
        if isinstance(exc, MethodNotAllowed):
            return _wrong_method(server, set(exc.valid_methods or ()) - _IMPLIED)
        return problem(exc.code, f"{exc.name}: {exc.description or 'the log of the app tells more'}")


def _wrong_method(server: Flask, allowed: set[str]) -> Response:
    if "GET" in allowed and _nobody_reads(server):
        allowed = allowed - {"GET"}
    if not allowed:
        return problem(404, f"there is no {request.path[:80]}; see README.md for what there is")
    methods = ", ".join(sorted(allowed))
    answer = problem(405, f"{request.method} can't be used here, only {methods}")
    answer.headers["Allow"] = methods
    return answer


def _nobody_reads(server: Flask) -> bool:
    """Return whether a GET of this path would only be told that there is nothing."""
    adapter = server.create_url_adapter(request)
    try:
        return adapter is not None and adapter.match(method="GET")[0] == UNKNOWN
    except (HTTPException, RequestRedirect):
        return False
