"""The embedded servers as a whole: started by the first who needs them, stopped by the last.

Every process that uses them holds a shared lock for as long. The kernel gives a dead process's lock
back, so a killed command never keeps the servers running for ever: the next one that ends, as the
last, stops them.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from config.embedded import addresses
from config.embedded.daemon import ServerFailed
from config.embedded.postgres import PostgresServer
from config.embedded.redis import RedisServer
from config.embedded.storage import StorageServer

Server = PostgresServer | RedisServer | StorageServer
NAMES = frozenset({"postgres", "redis", "storage"})


def server(name: str, var_dir: Path) -> Server:
    """Return one of the servers that belong to ``var_dir``."""
    known = addresses.load(var_dir)
    match name:
        case "postgres":
            durable = "HIGHWATER_THROWAWAY" not in os.environ
            return PostgresServer(var_dir=var_dir, addresses=known, durable=durable)
        case "redis":
            return RedisServer(var_dir=var_dir, addresses=known)
        case "storage":
            return StorageServer(var_dir=var_dir, addresses=known)
    raise ServerFailed(f"There is no embedded server named {name!r}.")


@contextmanager
def in_use(
    names: frozenset[str], *, var_dir: Path, say: Callable[[str], None] = lambda _words: None
) -> Iterator[None]:
    """Have these servers running for the length of the block.

    Those that run already are reused. At the end, all are stopped unless another process uses them.

    :raises ServerFailed: if one does not start
    """
    if not names:
        yield
        return
    run_dir = var_dir / "run"
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / "users.lock").open("a", encoding="utf-8") as users:
        with _turn(run_dir):
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            with _turn(run_dir):
                start(names, var_dir=var_dir, say=say)
            yield
        finally:
            with _turn(run_dir):
                if _is_last(users):
                    stop(var_dir=var_dir)


def start(
    names: frozenset[str], *, var_dir: Path, say: Callable[[str], None] = lambda _words: None
) -> None:
    """Start those of the servers that do not run. The caller sees to it that only one does so."""
    idle = [name for name in sorted(names) if not server(name, var_dir).is_running()]
    _evade(idle, var_dir, say)
    with ThreadPoolExecutor(max_workers=3) as pool:
        # The list is there to raise what a start has raised, after all have ended.
        list(pool.map(lambda name: server(name, var_dir).start(), idle))


def revive(names: frozenset[str], *, var_dir: Path) -> list[str]:
    """Start again, at the same address, those of the servers that have died; return their names.

    :raises ServerFailed: if one does not start
    """
    with _turn(var_dir / "run"):
        dead = [name for name in sorted(names) if not server(name, var_dir).is_running()]
        for name in dead:
            server(name, var_dir).start()
    return dead


def stop(*, var_dir: Path) -> None:
    """Stop all the servers of ``var_dir`` that run."""
    # One after the other: this is called while the interpreter ends, when threads cannot start. The
    # stack sees to it that one that does not stop keeps none of the others running.
    with ExitStack() as stack:
        for name in sorted(NAMES):
            stack.callback(server(name, var_dir).stop)


def _evade(idle: list[str], var_dir: Path, say: Callable[[str], None]) -> None:
    """Move a server whose remembered port somebody else has taken meanwhile."""
    known = addresses.load(var_dir)
    names = {part for name in idle for part in server(name, var_dir).port_names}
    deadline = time.monotonic() + 2
    while taken := {part for part in names if not addresses.is_free(known.ports[part])}:
        # A server that has just been killed may take a moment to let go of its port.
        if time.monotonic() < deadline:
            time.sleep(0.05)
            continue
        moved = addresses.move(var_dir, taken)
        for part in sorted(taken):
            say(
                f"Port {known.ports[part]} is taken by another program; "
                f"{part} listens on {moved.ports[part]} from now on."
            )
        return


def _is_last(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _turn(run_dir: Path, timeout_seconds: float = 120) -> Iterator[None]:
    """Wait until nobody else is starting or stopping servers."""
    with (run_dir / "servers.lock").open("a", encoding="utf-8") as lock:
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ServerFailed(
                        f"Another command has been starting or stopping the embedded servers for "
                        f"{timeout_seconds:.0f} s."
                    ) from None
                time.sleep(0.02)
        yield
