"""manage.py: every command works by itself, on servers that come and go with it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.core.management.base import BaseCommand

from config.embedded import addresses, servers
from config.embedded.addresses import HOST
from config.embedded.commands import servers_for

ROOT = Path(__file__).parents[2]


def environment(var_dir: Path) -> dict[str, str]:
    own = {"VAR_DIR": str(var_dir), "DJANGO_SETTINGS_MODULE": "config.settings.embedded"}
    return {**os.environ, **own}


def manage(var_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(var_dir),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def running(var_dir: Path) -> set[str]:
    return {name for name in servers.NAMES if servers.server(name, var_dir).is_running()}


def test_a_reader_who_leaves_early_breaks_nothing(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [sys.executable, "manage.py", "diffsettings", "--all"],
            cwd=ROOT, env=environment(tmp_path), stdout=writing, stderr=subprocess.PIPE,
            text=True, check=False, timeout=120,
        )  # fmt: skip
    finally:
        os.close(writing)

    assert ended.stderr == ""
    assert ended.returncode == 128 + signal.SIGPIPE


class TestServersFor:
    def test_are_the_database_unless_the_command_says_otherwise(self) -> None:
        assert servers_for(BaseCommand(), []) == {"postgres"}

    def test_may_be_declared(self) -> None:
        class Importing(BaseCommand):
            embedded_servers = frozenset({"postgres", "storage"})

        assert servers_for(Importing(), []) == {"postgres", "storage"}

    def test_may_depend_on_the_arguments(self) -> None:
        class Importing(BaseCommand):
            @staticmethod
            def embedded_servers(arguments: list[str]) -> set[str]:
                return set() if "--dry-run" in arguments else {"postgres"}

        assert servers_for(Importing(), ["FILE", "--dry-run"]) == frozenset()
        assert servers_for(Importing(), ["FILE"]) == {"postgres"}


class TestManage:
    def test_a_command_on_an_empty_folder_makes_the_database(self, tmp_path: Path) -> None:
        done = manage(tmp_path, "dumpdata", "auth.group")

        assert (done.stdout.strip(), done.stderr) == (
            "[]",
            "A new installation: making its tables.\n",
        )
        assert running(tmp_path) == set()

    def test_help_starts_nothing(self, tmp_path: Path) -> None:
        assert manage(tmp_path, "help").returncode == 0
        assert not (tmp_path / "postgres").exists()

    def test_running_servers_are_reused_and_stay(self, tmp_path: Path) -> None:
        with servers.in_use(frozenset({"postgres"}), var_dir=tmp_path):
            assert manage(tmp_path, "migrate", "--verbosity", "0").returncode == 0
            assert running(tmp_path) == {"postgres"}

    def test_a_moved_server_is_found(self, tmp_path: Path) -> None:
        port = addresses.load(tmp_path).ports["postgres"]

        with socket.create_server((HOST, port)):
            done = manage(tmp_path, "showmigrations", "auth")

        assert done.returncode == 0, done.stderr
        assert f"Port {port} is taken by another program" in done.stderr

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_an_interrupted_command_leaves_nothing(
        self, tmp_path: Path, number: signal.Signals
    ) -> None:
        code = "import time; print('here', flush=True); time.sleep(600)"
        command = subprocess.Popen(
            [sys.executable, "manage.py", "shell", "-v", "0", "-c", code],
            cwd=ROOT,
            env=environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with command:
            assert command.stdout is not None
            assert command.stdout.readline() == "here\n"
            command.send_signal(number)
            assert command.wait(timeout=30) == 128 + number

        assert running(tmp_path) == set()


class TestRun:
    def test_runs_everything_and_ctrl_c_ends_everything(self, tmp_path: Path) -> None:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = probe.getsockname()[1]
        command = self._start(tmp_path, port)
        with command:
            said = self._read_until(command, "Ctrl-C stops everything.")
            assert f"http://{HOST}:{port}/desk/" in said
            assert running(tmp_path) == servers.NAMES
            second = manage(tmp_path, "run", "--port", str(port))
            assert f"Highwater runs here already: http://{HOST}:{port}/" in second.stdout

            command.send_signal(signal.SIGINT)
            assert command.wait(timeout=60) == 0

        assert running(tmp_path) == set()
        assert self._processes_that_know(tmp_path) == []

    def test_tells_of_a_taken_port(self, tmp_path: Path) -> None:
        with socket.create_server((HOST, 0)) as other:
            port = other.getsockname()[1]
            done = manage(tmp_path, "run", "--port", str(port))

        assert done.returncode == 1
        words = f"Port {port} is taken by another program. Choose another one: "
        assert re.search(rf"{re.escape(words)}PORT=\d+ make run$", done.stderr.strip())

    def _start(self, var_dir: Path, port: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "manage.py", "run", "--port", str(port)],
            cwd=ROOT,
            env=environment(var_dir),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _read_until(self, command: subprocess.Popen[str], words: str) -> str:
        assert command.stdout is not None
        said: str = ""
        for line in command.stdout:
            said += str(line)
            if words in line:
                return said
        raise AssertionError(said)

    def _processes_that_know(self, var_dir: Path) -> list[str]:
        deadline = time.monotonic() + 5
        while True:
            found = []
            for entry in Path("/proc").iterdir():
                try:
                    if str(var_dir).encode() in entry.joinpath("environ").read_bytes():
                        found.append(entry.joinpath("cmdline").read_text(encoding="utf-8"))
                except OSError:
                    continue
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.1)
