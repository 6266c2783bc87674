"""PostgreSQL clusters on this machine, as root and as an ordinary user."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backups.engines import postgres
from backups.engines.postgres import PortTaken, Postgres, PostgresFailed, bundled_bin_dir
from config.embedded.addresses import HOST

PASSWORD = "only for tests"
ROOT = Path(__file__).parents[3]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can step out of root")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Postgres]:
    made = Postgres(bin_dir=bundled_bin_dir(), data_dir=tmp_path / "data", port=free_port())
    made.create(password=PASSWORD)
    yield made
    made.stop(mode="immediate")


def ask(cluster: Postgres, question: str) -> str:
    where = ("--host", HOST, "--port", str(cluster.port), "--username", "postgres")
    done = cluster.run("psql", *where, "-Atqc", question, env={"PGPASSWORD": PASSWORD})
    return done.stdout.strip()


class TestStart:
    def test_serves_queries_on_loopback_alone(self, cluster: Postgres, tmp_path: Path) -> None:
        cluster.start(log=tmp_path / "log")

        assert cluster.is_running()
        assert ask(cluster, "show listen_addresses") == HOST
        assert ask(cluster, "select lower('ÄÖ'), current_setting('server_encoding')") == "äö|UTF8"

    def test_keeps_the_data_to_its_owner(self, cluster: Postgres) -> None:
        assert cluster.data_dir.stat().st_mode & 0o777 == 0o700

    def test_refuses_a_wrong_password(self, cluster: Postgres, tmp_path: Path) -> None:
        cluster.start(log=tmp_path / "log")

        where = ("--host", HOST, "--port", str(cluster.port), "--username", "postgres")
        with pytest.raises(PostgresFailed, match="password authentication failed"):
            cluster.run("psql", *where, "-Atqc", "select 1", env={"PGPASSWORD": "a guess"})

    def test_started_twice_stays_as_it_is(self, cluster: Postgres, tmp_path: Path) -> None:
        cluster.start(log=tmp_path / "log")
        pid = cluster.pid()

        cluster.start(log=tmp_path / "log")

        assert cluster.pid() == pid

    def test_takes_settings_and_environment(self, cluster: Postgres, tmp_path: Path) -> None:
        cluster.start(
            log=tmp_path / "log",
            settings={
                "archive_mode": "on",
                "archive_command": f'echo "$NOTE" > {tmp_path}/note',
            },
            env={"NOTE": "reached"},
        )

        ask(cluster, "select pg_switch_wal()")

        note = tmp_path / "note"
        deadline = time.monotonic() + 10
        while not (note.exists() and note.read_text(encoding="utf-8")):
            assert time.monotonic() < deadline, "the archive command was not called"
            time.sleep(0.05)
        assert note.read_text(encoding="utf-8") == "reached\n"

    def test_tells_of_a_taken_port(self, cluster: Postgres, tmp_path: Path) -> None:
        with socket.create_server((HOST, cluster.port)), pytest.raises(PortTaken) as told:
            cluster.start(log=tmp_path / "log")

        assert str(told.value) == f"Port {cluster.port} on {HOST} is taken by another program."

    def test_says_what_postgresql_said(self, cluster: Postgres, tmp_path: Path) -> None:
        with pytest.raises(PostgresFailed, match='unrecognized configuration parameter "nonsense"'):
            cluster.start(log=tmp_path / "log", settings={"nonsense": "1"})

    def test_survives_its_starter(self, cluster: Postgres, tmp_path: Path) -> None:
        code = (
            "import os, signal; from pathlib import Path; from backups.engines.postgres import *; "
            f"Postgres(bin_dir=bundled_bin_dir(), data_dir=Path({str(cluster.data_dir)!r}), "
            f"port={cluster.port}).start(log=Path({str(tmp_path / 'log')!r})); "
            "os.killpg(0, signal.SIGKILL)"
        )

        starter = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, check=False, start_new_session=True, timeout=60
        )

        assert starter.returncode == -signal.SIGKILL
        assert ask(cluster, "select 1") == "1"


class TestStaleLock:
    def test_a_killed_server_starts_again(self, cluster: Postgres, tmp_path: Path) -> None:
        cluster.start(log=tmp_path / "log")
        pid = cluster.pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while cluster.is_running():
            time.sleep(0.01)

        cluster.start(log=tmp_path / "log")

        assert ask(cluster, "select 1") == "1"

    def test_another_programs_process_id_is_not_taken_for_the_server(
        self, cluster: Postgres, tmp_path: Path
    ) -> None:
        # After a restart of the machine, the id in the lock belongs to somebody else.
        cluster.data_dir.joinpath("postmaster.pid").write_text(
            f"{os.getpid()}\n{cluster.data_dir}\n1\n{cluster.port}\n\n{HOST}\n1 1\nready\n",
            encoding="utf-8",
        )
        assert not cluster.is_running()

        cluster.start(log=tmp_path / "log")

        assert cluster.pid() != os.getpid()
        assert ask(cluster, "select 1") == "1"


class TestStop:
    @pytest.mark.parametrize("mode", ["smart", "fast", "immediate"])
    def test_ends_every_process(self, cluster: Postgres, tmp_path: Path, mode: str) -> None:
        cluster.start(log=tmp_path / "log")

        cluster.stop(mode=mode)

        assert not cluster.is_running()
        cluster.stop(mode=mode)

    def test_escalates_when_the_gentle_way_takes_too_long(
        self, cluster: Postgres, tmp_path: Path
    ) -> None:
        cluster.start(log=tmp_path / "log")
        # A smart stop waits for sessions to end; this one does not.
        where = ("--host", HOST, "--port", str(cluster.port), "--username", "postgres")
        session = subprocess.Popen(
            cluster.command("psql", *where, "-c", "select pg_sleep(60)"),
            env={**os.environ, "PGPASSWORD": PASSWORD},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while ask(cluster, "select count(*) from pg_stat_activity where query ~ 'sleep'") != "2":
            time.sleep(0.05)

        cluster.stop(mode="smart", timeout_seconds=0.2)

        assert not cluster.is_running()
        session.wait(timeout=10)


class TestRun:
    def test_names_a_program_that_is_not_there(self, cluster: Postgres) -> None:
        with pytest.raises(PostgresFailed, match="There is no PostgreSQL program"):
            cluster.run("pg_nothing")

    def test_keeps_to_its_time_limit(self, cluster: Postgres, tmp_path: Path) -> None:
        cluster.start(log=tmp_path / "log")
        where = ("--host", HOST, "--port", str(cluster.port), "--username", "postgres")

        with pytest.raises(PostgresFailed, match="psql did not end within 1 s"):
            cluster.run(
                "psql", *where, "-c", "select pg_sleep(30)",
                env={"PGPASSWORD": PASSWORD}, timeout_seconds=1,
            )  # fmt: skip


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder that every account may enter."""
    folder = Path(tempfile.mkdtemp(prefix="highwater-open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@as_root
class TestWithoutUserNamespaces:
    def test_runs_as_an_unprivileged_account(
        self, open_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # What a kernel that forbids user namespaces makes of it.
        monkeypatch.setattr(postgres, "step_out", lambda: "account")
        cluster = Postgres(
            bin_dir=bundled_bin_dir(), data_dir=open_folder / "data", port=free_port()
        )
        cluster.create(password=PASSWORD)
        try:
            cluster.start(log=open_folder / "log")

            assert ask(cluster, "select 1") == "1"
            assert cluster.data_dir.stat().st_uid == pwd.getpwnam("nobody").pw_uid
        finally:
            cluster.stop(mode="immediate")

    def test_says_which_folder_is_closed_to_that_account(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "step_out", lambda: "account")
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        cluster = Postgres(bin_dir=bundled_bin_dir(), data_dir=closed / "data", port=free_port())

        with pytest.raises(PostgresFailed, match=r"the account nobody may not enter .*\."):
            cluster.create(password=PASSWORD)


@as_root
@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="needs a Python for all accounts")
def test_an_ordinary_user_needs_no_tricks(open_folder: Path) -> None:
    account = pwd.getpwnam("nobody")
    os.chown(open_folder, account.pw_uid, account.pw_gid)
    code = (
        "from pathlib import Path; from backups.engines.postgres import *; "
        f"it = Postgres(bin_dir=bundled_bin_dir(), data_dir=Path('data'), port={free_port()}); "
        f"it = Postgres(bin_dir=it.bin_dir, data_dir=Path('data').absolute(), port=it.port); "
        "print(step_out()); it.create(password='x'); it.start(log=Path('log').absolute()); "
        "print(it.is_running()); it.stop(); print(it.is_running())"
    )

    done = subprocess.run(
        ["/usr/bin/python3", "-c", code],
        cwd=open_folder,
        env={"PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}", "PATH": os.environ["PATH"]},
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert (done.stdout.split(), done.stderr) == (["stay", "True", "False"], "")
