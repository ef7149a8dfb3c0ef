"""Which names the app answers to: a page that points its own name at this machine gets nothing."""

from __future__ import annotations

import pytest
from flask import Flask

from live.tally import Tally
from web.hosts import guard_hosts, name_of, names_allowed


def served(*, bound_to: str = "127.0.0.1", hosts: tuple[str, ...] = (), origins: tuple[str, ...] = ()) -> Flask:
    app = Flask("hosts-test")
    app.add_url_rule("/", "page", lambda: "welcome")
    app.extensions["refused"] = Tally()
    guard_hosts(app, names_allowed(bound_to, hosts, origins), app.extensions["refused"])
    return app


def status(app: Flask, host: str) -> int:
    return app.test_client().get("/", headers={"Host": host}).status_code


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8050", "localhost:8050", "LOCALHOST", "[::1]:8050", "192.168.1.7", "app.localhost:80", "monitor", ""],
)
def test_on_loopback_addresses_and_localhost_are_answered(host: str) -> None:
    assert status(served(), host) == 200


@pytest.mark.parametrize(
    "host", ["evil.example:8050", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example"]
)
@pytest.mark.parametrize("bound_to", ["127.0.0.1", "localhost", "::1"])
def test_on_loopback_any_other_name_is_refused_with_what_to_do_and_counted(host: str, bound_to: str) -> None:
    app = served(bound_to=bound_to)
    answer = app.test_client().get("/", headers={"Host": host})
    assert answer.status_code == 403
    assert "SCRAPEBOARD_ALLOWED_HOSTS" in answer.get_json()["error"]
    assert app.extensions["refused"].counts() == {"requests for a foreign host name": 1}


def test_names_that_the_operator_gave_are_answered_also_behind_a_proxy() -> None:
    app = served(hosts=("Board.example.org",), origins=("https://other.example.org:8443",))
    assert [status(app, host) for host in ("board.example.org", "board.example.org.", "other.example.org")] == [200] * 3
    assert status(app, "evil.example") == 403
    assert status(served(hosts=("*",)), "evil.example") == 200


def test_elsewhere_any_name_is_answered_until_names_are_given() -> None:
    assert status(served(bound_to="0.0.0.0"), "scrapeboard.intern") == 200
    assert status(served(bound_to="0.0.0.0", hosts=("scrapeboard.intern",)), "evil.example") == 403


@pytest.mark.parametrize(
    ("host", "name"),
    [("a.example:80", "a.example"), ("[::1]:80", "::1"), ("A.Example.", "a.example"), ("[::1", "[::1"), ("a:b:c", "a")],
)
def test_a_host_header_is_read_without_its_port(host: str, name: str) -> None:
    assert name_of(host) == name
