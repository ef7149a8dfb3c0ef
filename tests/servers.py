"""Private servers for tests: real MariaDB and Redis on free loopback ports, each with its own directory and process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

import pymysql

_ENOUGH_MEMORY_BYTES = 2 << 30
_PORT_TAKEN = ("address already in use", "port in use")  # what servers say of it, in small letters
_reserved: list[IO[str]] = []  # kept open: a port stays this process's as long as it lives


class ServerMissingError(RuntimeError):
    """The server's program isn't installed; the text says how to install it."""


class ServerFailedError(RuntimeError):
    """The server didn't start; the text ends with its own last words."""


class Process(Protocol):
    """What is done with a server's process."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int, /) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class PrivateServer(ABC):
    """A server process of one's own: `with PrivateX() as server`, or start, kill, start, stop.

    Args:
        parent: Where its directory is made; in memory when there is room and none is given.
        start_timeout_s: How long it may take to answer.
    """

    name = "server"

    def __init__(self, *, parent: Path | None = None, start_timeout_s: float = 150.0) -> None:
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix=f"scrapeboard-{self.name}-", dir=parent or _scratch()))
        self._start_timeout_s = start_timeout_s
        self._process: Process | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command line that runs the server in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Say whether the server takes requests now."""

    def prepare(self) -> None:  # noqa: B027 - most servers need nothing
        """Make what must be there before the first start."""

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, f"{self.name} isn't running"
        return self._process.pid

    def start(self) -> Self:
        """Start the server on the same port and data as before, and return when it answers."""
        assert self._process is None, f"{self.name} is running already"
        log_path = self.directory / "server.log"
        with log_path.open("ab") as log:
            self._process = self.launch(log)
        deadline_s = time.monotonic() + self._start_timeout_s
        # Asked first whether it lives: one that found its port taken must not be confused with who answers there.
        while self._process.poll() is not None or not self.answers():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=0.05)
                self._process = None
            if self._process is None or time.monotonic() > deadline_s:
                self.kill()
                raise ServerFailedError(f"{self.name} did not start:\n{log_path.read_text(errors='replace')[-2000:]}")
        return self

    def launch(self, log: IO[bytes]) -> Process:
        """Start the process in a session of its own, so that its own children can be ended with it."""
        return subprocess.Popen(
            self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.environment(),
            start_new_session=True,
        )  # fmt: skip

    def environment(self) -> Mapping[str, str] | None:
        """Return the server's environment; None for this process's own."""
        return None

    def _start_first(self) -> Self:
        """Start on another port when somebody else took this one meanwhile: nobody knows it yet."""
        for _ in range(3):
            try:
                return self.start()
            except ServerFailedError as exc:
                if not any(words in str(exc).lower() for words in _PORT_TAKEN):
                    raise
                self.port = free_port()
        return self.start()

    def stop(self) -> None:
        """End the server in order and wait for its end; nothing happens when it isn't running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server as a power cut would, as far as processes can; `start` brings it back."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze the server: it keeps its connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen server go on."""
        os.kill(self.pid, signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout=90)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        try:
            self.prepare()
            return self._start_first()
        except BaseException:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


class PrivateMariaDB(PrivateServer):
    """A MariaDB server with an own data directory; nothing of the machine's own MariaDB is read or touched.

    Args:
        parent: As for `PrivateServer`.
        start_timeout_s: As for `PrivateServer`.
        options: Further options of its command line; they win over ours. May be changed between two starts.
        time_zone: The zone of the machine that it believes to run on, as in the variable TZ.
    """

    name = "mariadb"
    user = "scrapeboard"
    password = "not-a-secret"

    def __init__(
        self,
        *,
        parent: Path | None = None,
        start_timeout_s: float = 150.0,
        options: Sequence[str] = (),
        time_zone: str | None = None,
    ) -> None:
        super().__init__(parent=parent, start_timeout_s=start_timeout_s)
        self.options = tuple(options)
        self.time_zone = time_zone

    def environment(self) -> Mapping[str, str] | None:
        """Return the server's environment."""
        return None if self.time_zone is None else {**os.environ, "TZ": self.time_zone}

    def prepare(self) -> None:
        """Make the data directory."""
        install = program("mariadb-install-db", package="mariadb-server")
        self.tmpdir.mkdir()
        made = subprocess.run(
            [
                install, "--no-defaults", f"--datadir={self.datadir}", f"--tmpdir={self.tmpdir}",
                "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
                "--innodb-log-file-size=32M", *_as_root(),
            ],
            capture_output=True,
            check=False,
        )  # fmt: skip
        if made.returncode:
            raise ServerFailedError(f"mariadb-install-db failed:\n{(made.stdout + made.stderr).decode()[-2000:]}")
        self.init_file.write_text(
            f"CREATE USER IF NOT EXISTS {self.user}@'127.0.0.1' IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL ON *.* TO {self.user}@'127.0.0.1' WITH GRANT OPTION;\n"
        )

    def command(self) -> list[str]:
        """Return the command line: little memory, and every commit written to the log before it is answered."""
        return [
            program("mariadbd", package="mariadb-server"), "--no-defaults", f"--datadir={self.datadir}",
            f"--tmpdir={self.tmpdir}", "--socket=socket",  # beside the data: an absolute path may be too long for one
            f"--pid-file={self.directory / 'pid'}",
            f"--init-file={self.init_file}", "--bind-address=127.0.0.1", f"--port={self.port}",
            "--skip-name-resolve", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=1", "--innodb-log-file-size=32M",
            "--innodb-buffer-pool-size=256M", "--performance-schema=OFF", "--max-connections=200", *_as_root(),
            *self.options,
        ]  # fmt: skip

    def answers(self) -> bool:
        """Say whether the test user can log in, to this server and not to another one of these tests."""
        try:
            return self.execute("SELECT @@datadir") == [(f"{self.datadir}/",)]
        except pymysql.err.Error:
            return False

    def execute(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements as the test user, outside of any database, and return the rows of the last one."""
        connection = pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.user,
            password=self.password,
            autocommit=True,
            connect_timeout=60,
            ssl_disabled=True,  # to read the certificates of the machine costs more than most tests
        )
        rows: list[tuple[object, ...]] = []
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                rows = list(cursor.fetchall())
        return rows

    def url(self, database: str) -> str:
        """Return the URL of a database on this server, as a user would write it."""
        return f"mysql://{self.user}:{self.password}@127.0.0.1:{self.port}/{database}"

    @property
    def datadir(self) -> Path:
        """Where the data is."""
        return self.directory / "data"

    @property
    def tmpdir(self) -> Path:
        """Where its temporary tables are: a server that starts deletes all that it finds in its own, also others'."""
        return self.directory / "tmp"

    @property
    def init_file(self) -> Path:
        """The statements that the server runs at every start."""
        return self.directory / "init.sql"


class PrivateRedis(PrivateServer):
    """A Redis server that keeps nothing on disk."""

    name = "redis"

    def command(self) -> list[str]:
        """Return the command line."""
        return [
            program("redis-server", package="redis-server"), "--port", str(self.port), "--bind", "127.0.0.1",
            "--save", "", "--appendonly", "no", "--dir", str(self.directory),
        ]  # fmt: skip

    def answers(self) -> bool:
        """Say whether it answers a PING."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    @property
    def url(self) -> str:
        """The server's URL."""
        return f"redis://127.0.0.1:{self.port}/0"


class PrivateNginx(PrivateServer):
    """An nginx with the site of docs/nginx.conf.

    Args:
        app_ports: Where its two apps listen.
    """

    name = "nginx"

    def __init__(self, app_ports: tuple[int, int]) -> None:
        super().__init__()
        self.app_ports = app_ports

    def command(self) -> list[str]:
        """Return the command line, after writing the configuration that it names."""
        site = (Path(__file__).resolve().parents[1] / "docs" / "nginx.conf").read_text()
        for written, port in zip((8050, 8051, 8052), (self.port, *self.app_ports), strict=True):
            assert site.count(f":{written}") == 1, f"docs/nginx.conf names {written} elsewhere"
            site = site.replace(f":{written}", f":{port}")
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "".join(f"{kind}_temp_path {self.directory / kind};" for kind in kinds)
        owner = "user root;" if os.geteuid() == 0 else ""  # the directory is ours alone
        self.file.write_text(
            f"{owner} daemon off; pid {self.directory / 'pid'}; error_log stderr; worker_processes 1;\n"
            f"events {{ worker_connections 512; }}\nhttp {{ access_log off; {paths}\n{site} }}\n"
        )
        return [program("nginx", package="nginx"), "-e", "stderr", "-p", str(self.directory), "-c", str(self.file)]

    def answers(self) -> bool:
        """Say whether it listens."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    @property
    def file(self) -> Path:
        """Its configuration."""
        return self.directory / "nginx.conf"

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on, and that no other test process gets while this one lives.

    The kernel gives ports of its own range to every outgoing connection, so that one of those may be taken at any
    moment before a server listens, or while it is down: the port comes from below that range.
    """
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    directory = Path(tempfile.gettempdir(), f"scrapeboard-ports-{os.geteuid()}")
    directory.mkdir(exist_ok=True)
    for _ in range(1000):
        port = random.randrange(max(1024, first - 12_000), first)
        lock = (directory / str(port)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
        else:
            _reserved.append(lock)
            return port
    raise ServerFailedError("no free port of 127.0.0.1 was found")


def program(name: str, *, package: str) -> str:
    """Return the path of an installed program, also from the directories that only root has in its PATH."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if found is None:
        raise ServerMissingError(f"{name} is not installed, and the tests need it: apt-get install {package}")
    return found


def _as_root() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []


def _scratch() -> Path | None:
    # In memory where there is room: a sync costs nothing there, and killing the process loses nothing either.
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ENOUGH_MEMORY_BYTES:
        return memory
    return None
