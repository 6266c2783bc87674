"""Where the embedded servers listen and what opens them: chosen once, remembered under var/."""

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
NAME = "highwater"
REGION = "us-east-1"
# Below the range from which the kernel takes ports for outgoing connections: a remembered port is
# then still free at the next start.
PORTS = range(20_000, 30_000)
STORAGE_PARTS = (
    "s3",
    "s3_grpc",
    "master",
    "master_grpc",
    "volume",
    "volume_grpc",
    "filer",
    "filer_grpc",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Ports, names and secrets of the embedded servers. They hold whether or not these run."""

    secret_key: str
    postgres_password: str
    redis_password: str
    s3_access_key: str
    s3_secret_key: str
    ports: dict[str, int]

    @property
    def database_url(self) -> str:
        port = self.ports["postgres"]
        return f"postgresql://{NAME}:{self.postgres_password}@{HOST}:{port}/{NAME}"

    @property
    def redis_url(self) -> str:
        return f"redis://:{self.redis_password}@{HOST}:{self.ports['redis']}/0"

    @property
    def s3_endpoint(self) -> str:
        return f"http://{HOST}:{self.ports['s3']}"

    @property
    def s3_region(self) -> str:
        return REGION

    def database(self) -> dict[str, Any]:
        """Return the entry for Django's DATABASES."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": NAME,
            "USER": NAME,
            "PASSWORD": self.postgres_password,
            "HOST": HOST,
            "PORT": str(self.ports["postgres"]),
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {"connect_timeout": 5},
        }


def load(var_dir: Path) -> Addresses:
    """Return the addresses that belong to ``var_dir``, choosing and keeping them the first time."""
    kept = _kept(var_dir)
    if kept is None:
        with _alone(var_dir):
            kept = _kept(var_dir) or _keep(var_dir, _choose())
    return kept


def move(var_dir: Path, names: set[str]) -> Addresses:
    """Choose other ports for these names and keep them."""
    with _alone(var_dir):
        kept = _kept(var_dir) or _choose()
        stay = {name: port for name, port in kept.ports.items() if name not in names}
        found = zip(sorted(names), _free_ports(set(stay.values())), strict=False)
        return _keep(var_dir, Addresses(**{**asdict(kept), "ports": {**stay, **dict(found)}}))


def free_port() -> int:
    """Return a port on which nobody listens now."""
    return next(_free_ports(set()))


def is_free(port: int) -> bool:
    """Say whether a server could listen on this port of the loopback address now."""
    with socket.socket() as probe:
        # As the servers do: a connection that lingers from an earlier run is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _choose() -> Addresses:
    names = ("postgres", "redis", *STORAGE_PARTS)
    return Addresses(
        secret_key=secrets.token_urlsafe(48),
        postgres_password=secrets.token_urlsafe(24),
        redis_password=secrets.token_urlsafe(24),
        s3_access_key=secrets.token_hex(10).upper(),
        s3_secret_key=secrets.token_urlsafe(30),
        ports=dict(zip(names, _free_ports(set()), strict=False)),
    )


def _free_ports(taken: set[int]) -> Iterator[int]:
    start = secrets.randbelow(len(PORTS))
    for offset in range(len(PORTS)):
        port = PORTS[(start + offset) % len(PORTS)]
        if port not in taken and is_free(port):
            yield port


def _path(var_dir: Path) -> Path:
    return var_dir / "embedded.json"


def _kept(var_dir: Path) -> Addresses | None:
    try:
        return Addresses(**json.loads(_path(var_dir).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _keep(var_dir: Path, addresses: Addresses) -> Addresses:
    write_private(_path(var_dir), json.dumps(asdict(addresses), indent=2) + "\n")
    return addresses


def write_private(path: Path, text: str) -> None:
    """Write a file for its owner alone; whoever reads it sees all of it, or the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


@contextmanager
def _alone(var_dir: Path) -> Iterator[None]:
    var_dir.mkdir(parents=True, exist_ok=True)
    with (var_dir / ".addresses.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
