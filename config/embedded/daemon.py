"""A server program in the background: started detached, found again, stopped."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backups.engines.postgres import launcher_command


class ServerFailed(Exception):
    """An embedded server did not start or stop; the message says why, or where to look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A server program whose working directory is its own: that is how it is found again.

    No pid file can lie about it, and one that was started by an earlier, killed run is recognised.
    """

    name: str
    program: Path
    directory: Path
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def pid(self) -> int | None:
        """Return the process id, or None if the server is not running."""
        return next(processes_in(self.directory, named=self.program.name), None)

    def is_running(self) -> bool:
        return self.pid() is not None

    def start(
        self, *arguments: str, is_ready: Callable[[], bool], timeout_seconds: float = 30
    ) -> None:
        """Start the server and wait until it is ready.

        :raises ServerFailed: if it ends or is not ready in time
        """
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        launched = subprocess.run(
            [*launcher_command(), "stay", str(self.log), str(self.program), *arguments],
            cwd=self.directory,
            env={**os.environ, **self.env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        pid = int(launched.stdout)
        deadline = time.monotonic() + timeout_seconds
        while not is_ready():
            if not is_alive(pid):
                raise ServerFailed(f"The {self.name} ended while it was starting. See {self.log}.")
            if time.monotonic() > deadline:
                raise ServerFailed(
                    f"The {self.name} is not ready after {timeout_seconds:.0f} s. See {self.log}."
                )
            time.sleep(0.02)

    def stop(self, *, patience_seconds: float) -> None:
        """Ask the server to end, and end it if it has not after a while. Stopped, nothing happens.

        :raises ServerFailed: if it lives on even so
        """
        for number, seconds in ((signal.SIGTERM, patience_seconds), (signal.SIGKILL, 5.0)):
            pid = self.pid()
            if pid is None:
                return
            send(pid, number)
            deadline = time.monotonic() + seconds
            while is_alive(pid) and time.monotonic() < deadline:
                time.sleep(0.02)
        if self.is_running():
            raise ServerFailed(f"The {self.name} does not stop.")


def processes_in(directory: Path, *, named: str) -> Iterator[int]:
    """Yield the live processes of this program whose working directory is ``directory``."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            name = entry.joinpath("comm").read_text(encoding="utf-8").strip()
            if name == named[:15] and entry.joinpath("cwd").samefile(directory):
                yield int(entry.name)
        except OSError:
            # Gone meanwhile, or another user's.
            continue


def send(pid: int, number: signal.Signals) -> None:
    """Signal a process, if it is still there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def is_alive(pid: int) -> bool:
    """Say whether there is such a process, and more of it than its exit code."""
    process = Path("/proc") / str(pid)
    try:
        state = process.joinpath("stat").read_text(encoding="utf-8").rpartition(") ")[2][:1]
        # While other threads of a killed program are still ending, its ports are not free.
        return state != "Z" or len(list(process.joinpath("task").iterdir())) > 1
    except OSError:
        return False
