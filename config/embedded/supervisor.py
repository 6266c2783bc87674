"""One process that runs the others: web, workers, beat; and the servers beneath them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from config.embedded import child as child_module
from config.embedded import servers
from config.embedded.clusters import stop_clusters_under
from config.embedded.daemon import ServerFailed, is_alive, send

# Every process that descends from a supervisor carries this variable, so that none is forgotten.
MARK = "HIGHWATER_SUPERVISED"
LONGEST_PAUSE = 30.0
GOOD_HEALTH_SECONDS = 60.0
PATIENCE_SECONDS = 8.0
SERVERS_PAUSE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program to keep running, and the signal that it gets if the supervisor itself is killed."""

    name: str
    command: tuple[str, ...]
    on_orphaned: signal.Signals = signal.SIGTERM


@dataclass(slots=True, kw_only=True)
class Child:
    """A program's running process, and what is known of its health."""

    program: Program
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    pause: float = 0.5

    def is_due(self, now: float) -> bool:
        return self.process is None and now >= self.start_at


class Supervisor:
    """Keeps programs running until it is told to stop, and then leaves none behind."""

    def __init__(
        self,
        programs: list[Program],
        *,
        var_dir: Path,
        cwd: Path,
        env: dict[str, str],
        say: Callable[[str], None],
        keep: frozenset[str] = servers.NAMES,
    ) -> None:
        self.children = [Child(program=program) for program in programs]
        self.var_dir = var_dir
        self.cwd = cwd
        self.env = {**os.environ, **env, MARK: str(var_dir)}
        self.say = say
        self.hurry = False
        self._keep = keep
        self._servers_due = 0.0
        self._servers_pause = SERVERS_PAUSE

    def tick(self) -> None:
        """Look after everything once: start what is due, notice what has died."""
        now = time.monotonic()
        for each in self.children:
            if each.process is not None and each.process.poll() is not None:
                self._mourn(each, now)
            if each.is_due(now):
                self._start(each, now)
        if now >= self._servers_due:
            self._keep_servers(now)

    def stop(self) -> None:
        """End all children and what they have started. A second signal makes it impatient."""
        for each in self.children:
            if each.process is not None:
                each.process.terminate()
        deadline = time.monotonic() + PATIENCE_SECONDS
        for each in self.children:
            self._wait_for(each, deadline)
        stop_clusters_under(self.var_dir, but=self.var_dir / "postgres" / "data")
        sweep(self.var_dir)

    def spawn(self, program: Program, *, log: Path | None) -> subprocess.Popen[bytes]:
        """Start a program as a child; without a log it writes to the console."""
        helper = [sys.executable, "-I", "-S", str(Path(child_module.__file__).resolve())]
        command = [*helper, str(int(program.on_orphaned)), str(os.getpid()), *program.command]
        if log is None:
            return subprocess.Popen(
                command,
                cwd=self.cwd,
                env=self.env,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=self.cwd,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def log_of(self, program: Program) -> Path:
        return self.var_dir / "log" / f"{program.name}.log"

    def _start(self, each: Child, now: float) -> None:
        each.process = self.spawn(each.program, log=self.log_of(each.program))
        each.started_at = now

    def _mourn(self, each: Child, now: float) -> None:
        assert each.process is not None
        if now - each.started_at > GOOD_HEALTH_SECONDS:
            each.pause = 0.5
        end = _describe(each.process.returncode)
        self.say(
            f"{each.program.name} has ended ({end}); starting it again in {each.pause:g} s. "
            f"Its log: {self.log_of(each.program)}"
        )
        # What it left of its own process group would hold its port or its queue.
        _kill_group(each.process.pid)
        each.process = None
        each.start_at = now + each.pause
        each.pause = min(each.pause * 2, LONGEST_PAUSE)

    def _keep_servers(self, now: float) -> None:
        self._servers_due = now + self._servers_pause
        try:
            revived = servers.revive(self._keep, var_dir=self.var_dir)
        except ServerFailed as failure:
            self._servers_pause = min(self._servers_pause * 2, LONGEST_PAUSE)
            self.say(str(failure))
            return
        self._servers_pause = SERVERS_PAUSE
        for name in revived:
            self.say(f"{name} had ended; it runs again.")

    def _wait_for(self, each: Child, deadline: float) -> None:
        if each.process is None:
            return
        while each.process.poll() is None:
            if self.hurry or time.monotonic() > deadline:
                _kill_group(each.process.pid)
                each.process.wait(timeout=10)
                return
            time.sleep(0.02)
        _kill_group(each.process.pid)


def sweep(var_dir: Path, *, patience_seconds: float = 3.0) -> int:
    """End every process that descends from a supervisor of ``var_dir``; return how many there were.

    PostgreSQL servers are not among them: killing one takes more care.
    """
    left = list(_marked(var_dir))
    for pid in left:
        send(pid, signal.SIGTERM)
    deadline = time.monotonic() + patience_seconds
    while any(map(is_alive, left)) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in _marked(var_dir):
        send(pid, signal.SIGKILL)
    return len(left)


def _marked(var_dir: Path) -> Iterator[int]:
    mark = f"{MARK}={var_dir}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if entry.joinpath("comm").read_text(encoding="utf-8").strip() == "postgres":
                continue
            if mark in entry.joinpath("environ").read_bytes().split(b"\0"):
                yield int(entry.name)
        except OSError:
            # Gone meanwhile, or another user's.
            continue


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def _describe(returncode: int) -> str:
    if returncode < 0:
        return f"killed by {signal.Signals(-returncode).name}"
    return f"exit code {returncode}"
