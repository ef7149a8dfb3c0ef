"""An app that is forked from a process with the program in it is one that was started: its own in all that counts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.apps import PrivateApp
from tests.warm_start import Forked, start_app


def test_it_has_its_own_arguments_environment_and_output_and_says_how_it_ended(tmp_path: Path) -> None:
    said = []
    for number, words in enumerate((["--help"], ["nonsense"])):
        with (tmp_path / str(number)).open("wb") as file:
            process = start_app({"COLUMNS": "60", "SCRAPEBOARD_PORT": "many"}, file, *words)
            assert isinstance(process, Forked)
            code = process.wait(90)
        said.append((code, (tmp_path / str(number)).read_text()))
    assert [code for code, _ in said] == [0, 1]
    assert said[0][1].startswith("usage: python app.py")
    assert max(map(len, said[0][1].splitlines())) <= 60
    assert "invalid choice: 'nonsense'" in said[1][1]
    with (tmp_path / "third").open("wb") as file:
        assert start_app({"SCRAPEBOARD_PORT": "many"}, file).wait(90) == 1
    assert "SCRAPEBOARD_PORT" in (tmp_path / "third").read_text()


def test_it_leads_a_session_of_its_own_and_signals_reach_it(tmp_path: Path) -> None:
    with PrivateApp(f"sqlite:///{tmp_path}/one.db") as one, PrivateApp(f"sqlite:///{tmp_path}/two.db") as two:
        process = one._process
        assert isinstance(process, Forked)
        assert os.getsid(one.pid) == one.pid
        assert one.pid != two.pid
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0
        process.kill()  # there is nobody left to be killed
        assert two.get("/api/health")["status"] == "ok"
        second = two._process
        two.kill()
        assert second is not None
        assert second.poll() == -signal.SIGKILL


def test_a_signal_to_one_whose_end_was_not_told_yet_goes_nowhere() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait(60)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:  # as if its parent had waited for it, and were about to say so
        theirs.send(str(ended.pid).encode())
        process = Forked(ours)
        process.kill()
        assert process.returncode is None
        theirs.send(b"-9")
        assert process.wait(60) == -signal.SIGKILL
