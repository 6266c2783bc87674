"""The supervisor: keeps programs running, and leaves none behind."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.embedded.daemon import is_alive
from config.embedded.supervisor import MARK, Program, Supervisor, sweep

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")
# Ignores the gentle signal, and has a child in a session of its own that does so too.
STUBBORN = (
    sys.executable,
    "-c",
    (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], "
        "start_new_session=True); time.sleep(600)"
    ),
)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervise(tmp_path: Path, said: list[str]) -> Iterator[Callable[..., Supervisor]]:
    made: list[Supervisor] = []

    def make(*commands: tuple[str, ...]) -> Supervisor:
        programs = [Program(name=f"p{n}", command=command) for n, command in enumerate(commands)]
        made.append(
            Supervisor(
                programs, var_dir=tmp_path, cwd=tmp_path, env={}, say=said.append, keep=frozenset()
            )
        )
        (tmp_path / "run").mkdir(exist_ok=True)
        return made[-1]

    yield make
    for each in made:
        each.hurry = True
        each.stop()


def marked(var_dir: Path) -> list[int]:
    """Return the processes that descend from a supervisor of ``var_dir``."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if f"{MARK}={var_dir}".encode() in entry.joinpath("environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue
    return found


def wait_until(true: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def ticking_until(supervisor: Supervisor, true: Callable[[], bool]) -> None:
    def tick_and_look() -> bool:
        supervisor.tick()
        return true()

    wait_until(tick_and_look)


class TestSupervisor:
    def test_starts_again_what_has_died_and_says_so(
        self, supervise: Callable[..., Supervisor], said: list[str]
    ) -> None:
        supervisor = supervise(SLEEP)
        supervisor.tick()
        first = supervisor.children[0].process
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        first.wait()

        supervisor.tick()
        assert said[0].startswith("p0 has ended (killed by SIGKILL); starting it again in 0.5 s.")
        ticking_until(supervisor, lambda: supervisor.children[0].process is not None)

    def test_waits_longer_each_time(
        self, supervise: Callable[..., Supervisor], said: list[str]
    ) -> None:
        supervisor = supervise((sys.executable, "-c", "raise SystemExit(3)"))

        ticking_until(supervisor, lambda: len(said) == 3)

        assert [words.split(" in ")[1].split(" s.")[0] for words in said] == ["0.5", "1", "2"]
        assert "exit code 3" in said[0]

    def test_leaves_no_process_behind(
        self, supervise: Callable[..., Supervisor], tmp_path: Path
    ) -> None:
        supervisor = supervise(SLEEP, STUBBORN)
        supervisor.tick()
        wait_until(lambda: len(marked(tmp_path)) == 3)

        supervisor.hurry = True
        supervisor.stop()

        wait_until(lambda: not marked(tmp_path))


class TestOrphans:
    def test_children_end_when_the_supervisor_is_killed(self, tmp_path: Path) -> None:
        (tmp_path / "run").mkdir()
        supervisor_pid = os.fork()
        if not supervisor_pid:
            program = Program(name="p", command=SLEEP)
            Supervisor(
                [program], var_dir=tmp_path, cwd=tmp_path, env={}, say=print, keep=frozenset()
            ).tick()
            time.sleep(600)
        wait_until(lambda: len(marked(tmp_path)) == 1)
        child = marked(tmp_path)[0]
        # Past the moment in which it asks the kernel to die with its parent.
        wait_until(lambda: "time.sleep(600)" in Path(f"/proc/{child}/cmdline").read_text("utf-8"))

        os.kill(supervisor_pid, signal.SIGKILL)
        os.waitpid(supervisor_pid, 0)

        wait_until(lambda: not is_alive(child))

    def test_a_later_start_ends_what_is_left(
        self, supervise: Callable[..., Supervisor], tmp_path: Path
    ) -> None:
        supervise(STUBBORN).tick()
        wait_until(lambda: len(marked(tmp_path)) == 2)

        assert sweep(tmp_path, patience_seconds=0.2) == 2

        wait_until(lambda: not any(map(is_alive, marked(tmp_path))))
