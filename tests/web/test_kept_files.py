"""Files whose address changes with their content are asked for once, and answered from memory after that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response, request

from web.kept_files import YEAR_S, KeptFiles


@pytest.fixture
def served() -> Iterator[tuple[Any, list[str]]]:
    server = Flask(__name__)
    asked: list[str] = []

    @server.route("/files/<name>", methods=["GET", "POST"])
    def file(name: str) -> Response:
        accepted = request.headers.get("Accept-Encoding", "")
        asked.append(f"{name} {accepted}")
        status = 404 if name == "missing" else 200
        response = Response(iter([b"body of ", name.encode(), b" ", accepted.encode()]), status=status)
        if name != "changing":
            response.headers["Cache-Control"] = f"public, max-age={YEAR_S}"
        return response

    server.wsgi_app = KeptFiles(server.wsgi_app, ("/files/",))  # type: ignore[method-assign]
    with server.test_client() as client:
        yield client, asked


def test_a_lasting_file_is_asked_for_once_for_each_encoding(served: tuple[Any, list[str]]) -> None:
    client, asked = served
    for _ in range(3):
        for accepted in ("gzip, br", "gzip"):
            answer = client.get("/files/a.js", headers={"Accept-Encoding": accepted})
            assert answer.get_data() == f"body of a.js {accepted}".encode()
            assert answer.headers["Content-Length"] == str(len(answer.get_data()))
            assert f"max-age={YEAR_S}" in answer.headers["Cache-Control"]
    assert asked == ["a.js gzip, br", "a.js gzip"]


@pytest.mark.parametrize("name", ["changing", "missing"])
def test_what_may_change_or_is_not_there_is_asked_for_again(served: tuple[Any, list[str]], name: str) -> None:
    client, asked = served
    codes = {client.get(f"/files/{name}").status_code for _ in range(2)}
    assert codes == {404 if name == "missing" else 200}
    assert len(asked) == 2


@pytest.mark.parametrize(
    "headers", [{"If-None-Match": '"x"'}, {"Range": "bytes=0-3"}, {"Accept-Encoding": "gzip;q=0, br"}]
)
def test_special_requests_are_left_to_who_understands_them(
    served: tuple[Any, list[str]], headers: dict[str, str]
) -> None:
    client, asked = served
    for _ in range(2):
        client.get("/files/a.js", headers=headers)
    assert len(asked) == 2


def test_another_version_is_another_file(served: tuple[Any, list[str]]) -> None:
    client, asked = served
    for query in ("?m=1", "?m=2", "?m=1"):
        client.get(f"/files/a.js{query}")
    assert len(asked) == 2


def test_only_reading_is_answered_from_memory(served: tuple[Any, list[str]]) -> None:
    client, asked = served
    client.get("/files/a.js")
    client.post("/files/a.js")
    assert len(asked) == 2
