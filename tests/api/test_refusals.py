"""What the web framework refuses below /api is told in JSON, and with the right status."""

from __future__ import annotations

import pytest
from flask import Blueprint, Flask, Response
from flask.testing import FlaskClient

from api.answers import json_answer, problem
from api.refusals import UNKNOWN, tell_in_json


@pytest.fixture
def client() -> FlaskClient:
    server = Flask("refusals-test")
    blueprint = Blueprint(UNKNOWN.split(".", maxsplit=1)[0], __name__)

    @blueprint.get("/api/health")
    def health() -> Response:
        return json_answer(200, {"status": "ok"})

    @blueprint.get("/api/broken")
    def broken() -> Response:
        raise RuntimeError("a secret of the program")

    @blueprint.put("/api/schedules/<job>")
    def declare(job: str) -> Response:
        return json_answer(200, {"job": job})

    @blueprint.get("/api/<path:rest>")
    def unknown(rest: str) -> Response:
        return problem(404, f"there is no /api/{rest}; see README.md for what there is")

    @blueprint.get("/<path:page>")
    def pages(page: str) -> str:
        return page

    server.register_blueprint(blueprint)
    tell_in_json(server)
    return server.test_client()


def test_wrong_method_is_told_with_those_that_are_right(client: FlaskClient) -> None:
    for method, path, allowed in (("POST", "/api/health", "GET"), ("DELETE", "/api/schedules/nightly", "PUT")):
        answer = client.open(path, method=method)
        assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
        assert answer.json["error"] == f"{method} can't be used here, only {allowed}"


def test_what_is_not_there_is_not_there_for_any_method(client: FlaskClient) -> None:
    answers = [client.open("/api/nothing", method=method) for method in ("GET", "POST", "PUT", "DELETE")]
    assert [answer.status_code for answer in answers] == [404] * 4
    assert {answer.json["error"] for answer in answers} == {"there is no /api/nothing; see README.md for what there is"}


def test_mistake_of_the_program_is_told_in_json_without_its_text(client: FlaskClient) -> None:
    answer = client.get("/api/broken")
    assert (answer.status_code, list(answer.json)) == (500, ["error"])
    assert "secret" not in answer.text


def test_pages_keep_what_browsers_show(client: FlaskClient) -> None:
    answer = client.post("/navigation")
    assert (answer.status_code, answer.mimetype) == (405, "text/html")
