"""Servers for a test run: real ones, in a folder of their own that goes with it."""

import atexit
import fcntl
import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from config.embedded import servers
from config.embedded.clusters import stop_clusters_under

PREFIX = "highwater-test-"
# Where the folder stands, and for which of several processes that share the tests it is.
FOLDER, WORKER = "HIGHWATER_THROWAWAY", "HIGHWATER_THROWAWAY_OF"
_running = ExitStack()


def start_for_tests() -> Path:
    """Start PostgreSQL for this test run and return the folder that holds all it makes.

    Sets VAR_DIR, so call it before the settings are read. Called again, also by what the tests
    start, it returns the same folder. Where pytest-xdist shares the tests out, each of its workers
    has a folder, and servers, of its own.

    The other servers start at the first `start_server`. All are stopped, and the folder removed,
    when this process ends; what a killed test run has left is cleared away here.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if os.environ.get(WORKER) == worker:
        return test_var_dir()
    _sweep()
    # Not under the developer's var/: a test run must never meet real data.
    var_dir = Path(tempfile.mkdtemp(prefix=PREFIX))
    os.environ["VAR_DIR"] = os.environ[FOLDER] = str(var_dir)
    os.environ[WORKER] = worker
    atexit.register(_end, os.getpid(), var_dir)
    start_server("postgres")
    return var_dir


def start_server(name: str) -> None:
    """Start one of the servers of this test run, until its end; a running one is left alone."""
    _running.enter_context(servers.in_use(frozenset({name}), var_dir=test_var_dir()))


def test_var_dir() -> Path:
    """Return the folder of this test run."""
    return Path(os.environ[FOLDER])


def _end(owner: int, var_dir: Path) -> None:
    if os.getpid() != owner:
        # A forked child of the tests has ended, not the test run.
        return
    stop_clusters_under(var_dir, but=var_dir / "postgres" / "data")
    _running.close()
    shutil.rmtree(var_dir, ignore_errors=True)


def _sweep() -> None:
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        lock = left / "run" / "users.lock"
        try:
            with lock.open("a", encoding="utf-8") as users:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                stop_clusters_under(left, but=left / "postgres" / "data")
                servers.stop(var_dir=left)
        except OSError:
            # In use by another test run, another user's, or without a lock yet.
            continue
        shutil.rmtree(left, ignore_errors=True)
