"""Where the app listens is checked before anything else, and told in one line."""

from __future__ import annotations

import socket
import threading
from functools import partial
from pathlib import Path

import pytest

from app import main
from tests.servers import free_port
from web import commands
from web.address import check_address
from web.errors import AddressRefused


def test_free_port_will_do() -> None:
    for host in ("127.0.0.1", "0.0.0.0", "localhost"):
        check_address(host, free_port())


@pytest.mark.parametrize("host", ["999.1.1.1", "no such host", "x" * 100, "192.0.2.1"])
def test_address_of_another_machine_or_of_none_is_refused_at_once(host: str) -> None:
    with pytest.raises(AddressRefused, match="SCRAPEBOARD_HOST") as caught:
        check_address(host, free_port(), patience_s=3600)
    assert "\n" not in str(caught.value)


def test_port_that_is_in_use_is_told_in_one_line_before_the_database_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setenv("SCRAPEBOARD_PORT", str(port))
        monkeypatch.setenv("SCRAPEBOARD_DATABASE_URL", f"sqlite:///{tmp_path / 'data' / 'metrics.db'}")
        monkeypatch.setattr(commands, "check_address", partial(check_address, patience_s=0.0))
        assert main(["run"]) == 1
    assert list(tmp_path.iterdir()) == []
    said = capsys.readouterr().err
    assert said.startswith(f"scrapeboard: port {port} of 127.0.0.1 is in use")
    assert said.count("\n") == 1


def test_port_that_an_ending_app_lets_go_of_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as ending:
        port = ending.getsockname()[1]
        threading.Timer(0.2, ending.close).start()
        check_address("127.0.0.1", port, patience_s=90)
