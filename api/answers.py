"""JSON answers in one form."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response


def json_answer(status: int, body: Any) -> Response:
    """Answer with JSON; numpy values are fine."""
    data = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    answer = Response(data, status=status, mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def problem(status: int, message: str) -> Response:
    """Answer with an error that says in one line what to do: `{"error": ...}`."""
    return json_answer(status, {"error": message})
