"""CPU of the server per request of the public page, against nginx with gzip_static.

    python -m benchmarks.serving

Needs wrk, and for the comparison nginx. CPU time is read from /proc, so that a busy machine
disturbs it little; each server takes its turn in every round, and the best round counts.
"""

import gzip
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from statuspage.serving.manifest import file_of

HERE = Path(__file__).resolve().parent.parent
SECONDS = 3
ROUNDS = 5
CONNECTIONS = 32
TICK = os.sysconf("SC_CLK_TCK")
SUMMARY = "/api/v2/summary.json"
TENANT = "/my/b7qf2m9xk4tdp6wz"
PLAIN = "nginx gzip_static"

NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  types {{ text/html html; application/json json; text/css css; }}
  access_log off;
  sendfile on;
  keepalive_requests 1000000;
  gzip_static on;
  gzip_vary on;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{plain};
    root {folder}/plain;
  }}
  server {{
    listen 127.0.0.1:{published};
    root {folder}/public/pages/main;
    open_file_cache max=1000 inactive=60s;
    open_file_cache_valid 1s;
    location = / {{ try_files /current/site/index.html =404; }}
    location / {{
      try_files /current/site$uri /current/site$uri.html /archive$uri /archive$uri.html =404;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Something that answers, and whose CPU time is counted."""

    name: str
    url: str
    pids: list[int]
    headers: tuple[str, ...] = ()


def main() -> int:
    if shutil.which("wrk") is None:
        print("wrk is not installed; nothing can be measured.")
        return 1
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        # nginx drops its rights, and must still read what is served.
        folder.chmod(0o755)
        publish(folder)
        targets = list(_visits(stack.enter_context(granian(folder))))
        if shutil.which("nginx") is None:
            print("nginx is not installed; figures without ratios.")
        else:
            for target in stack.enter_context(nginx(folder)):
                targets += _visits(target)
        best: dict[str, float] = {}
        for _round in range(ROUNDS):
            for target in targets:
                cost = _microseconds(target)
                best[target.name] = min(best.get(target.name, cost), cost)
    _report(best)
    return 0


def _report(best: dict[str, float]) -> None:
    """Print the cost of each, as a ratio to what nginx takes for the same document in full."""
    limits = {"highwater": 2.0, "highwater 304": 1.7, "published directory under nginx": 1.2}
    print(f"{'CPU per request':52} {'µs':>8} {'ratio':>8} {'limit':>8}")
    for name, cost in best.items():
        server, _bracket, path = name.partition(" (")
        one = best.get(f"nginx gzip_static ({path}")
        ratio = f"{cost / one:.2f}" if one else ""
        print(f"{name:52} {cost:8.1f} {ratio:>8} {limits.get(server, ''):>8}")


def publish(folder: Path) -> None:
    """Publish documents of the size that the design measured: the page 37 KB, 6 KB on the wire."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.base")
    import django  # noqa: PLC0415 - the server under test must not have it loaded

    django.setup()
    from statuspage.documents.clauses import Edition  # noqa: PLC0415
    from statuspage.publisher.site import Draft, Site  # noqa: PLC0415
    from statuspage.serving import directory  # noqa: PLC0415

    now = datetime.now(UTC)  # noqa: TID251 - the edge of the program
    bodies = {"/": _page(), SUMMARY: _summary()}
    root = folder / "public"
    directory.write(root, [directory.PageEntry(id="1", slug="main", hosts=())])
    site = Site(directory.folder_of(root, "main"))
    editions = {path: [Edition(valid_from=now, body=body)] for path, body in bodies.items()}
    draft = Draft(documents=editions, archived={TENANT: _tenant()})
    site.put(draft, revision=1, generated_at=now.timestamp())
    for path, body in (bodies | {TENANT: _tenant()}).items():
        file = folder / "plain" / file_of(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        small = gzip.compress(body, 9, mtime=0)
        Path(f"{file}.gz").write_bytes(small)
        print(f"{path}: {len(body)} bytes, {len(small)} as gzip")


def _summary() -> bytes:
    components = [{"id": _word(number), "name": _word(-number)} for number in range(1, 310)]
    return json.dumps({"components": components}).encode()


def _tenant() -> bytes:
    return _page()[:6000] + b"</ul>"


def _page() -> bytes:
    rows = "".join(
        f'<li data-component-id="{_word(number)}"><span class="parts__name">{_word(-number)}'
        f" {number}</span><span class='parts__state'>operational</span></li>\n"
        for number in range(1, 310)
    )
    return f"<!doctype html><title>Status</title><ul>{rows}</ul>".encode()


def _word(number: int) -> str:
    return hashlib.blake2b(str(number).encode(), digest_size=6).hexdigest()


def serve(root: Path, port: int, *, workers: int = 1) -> "subprocess.Popen[bytes]":
    """Start the server of production on a published folder, with nothing behind it."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "granian", "--interface", "wsgi"),
            *("--workers", str(workers)),
            *("--host", "127.0.0.1", "--port", str(port)),
            # As the supervisor starts it: HTTP/1 alone, one thread a worker.
            *("--http", "1", "--no-ws", "--blocking-threads", "1"),
            *("--no-access-log", "--log-level", "error", "benchmarks.serving:served"),
        ],
        cwd=HERE,
        env=os.environ | {"HIGHWATER_BENCHMARK_ROOT": str(root)},
    )


@contextmanager
def granian(folder: Path, *, workers: int = 1) -> Iterator[Target]:
    port = free_port()
    server = serve(folder / "public", port, workers=workers)
    try:
        wait_for(port)
        pids = [server.pid, *_children(server.pid)]
        yield Target(name="highwater", url=f"http://127.0.0.1:{port}/", pids=pids)
    finally:
        server.terminate()
        server.wait(timeout=20)


@contextmanager
def nginx(folder: Path) -> Iterator[list[Target]]:
    plain, published = free_port(), free_port()
    config = folder / "nginx.conf"
    config.write_text(
        NGINX.format(folder=folder, plain=plain, published=published), encoding="utf-8"
    )
    server = subprocess.Popen([shutil.which("nginx") or "nginx", "-c", str(config)])
    try:
        wait_for(plain)
        time.sleep(0.5)
        pids = [server.pid, *_children(server.pid)]
        yield [
            Target(name=PLAIN, url=f"http://127.0.0.1:{plain}/", pids=pids),
            Target(
                name="published directory under nginx",
                url=f"http://127.0.0.1:{published}/",
                pids=pids,
            ),
        ]
    finally:
        server.terminate()
        server.wait(timeout=20)


def _visits(server: Target) -> Iterator[Target]:
    """Return what is measured of a server: each document, and for visitors who hold it already."""
    for path in ("/", SUMMARY, TENANT):
        # Ours adds the ending; a plain file has it in its address.
        url = server.url + (file_of(path) if server.name == PLAIN and path != "/" else path[1:])
        yield Target(name=f"{server.name} ({path[:24]})", url=url, pids=server.pids)
        yield Target(
            name=f"{server.name} 304 ({path[:24]})",
            url=url,
            pids=server.pids,
            headers=("-H", f"If-None-Match: {_etag(url)}"),
        )


def _microseconds(target: Target) -> float:
    before = _cpu_seconds(target.pids)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-H", "Accept-Encoding: gzip"]
    answer = subprocess.run(
        [*command, *target.headers, target.url],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    spent = _cpu_seconds(target.pids) - before
    found = re.search(r"(\d+) requests in", answer.stdout)
    if found is None or "Non-2xx" in answer.stdout:
        raise RuntimeError(f"{target.name} did not answer as it should:\n{answer.stdout}")
    return spent / int(found[1]) * 1e6


def _etag(url: str) -> str:
    from urllib.request import Request, urlopen  # noqa: PLC0415 - not in the server under test

    with urlopen(Request(url, headers={"Accept-Encoding": "gzip"}), timeout=10) as answer:  # noqa: S310
        return str(answer.headers["ETag"])


def _cpu_seconds(pids: list[int]) -> float:
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICK


def _children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(child) for child in children]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"Nothing listens on port {port}.")


if root := os.environ.get("HIGHWATER_BENCHMARK_ROOT"):
    from statuspage.serving import PublicSite

    served = PublicSite(lambda _environ, _start: [], root=Path(root))

if __name__ == "__main__":
    sys.exit(main())
