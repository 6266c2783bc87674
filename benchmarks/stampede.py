"""Two hundred first visits at once: how long until the last of them has the whole page.

    python -m benchmarks.stampede

Each visit opens a connection, and asks for the page and for what the page names: style and
script. The same bytes are served by nginx (gzip_static), in the same run. Needs nginx.
"""

import asyncio
import gzip
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks import serving

VISITS = 200
ROUNDS = 9
LIMIT = 1.5
ASSETS = {
    "/assets/status.0123456789abcdef.css": b".parts{display:flex;gap:1rem}\n" * 600,
    "/assets/status.fedcba9876543210.js": b"const words = new Map();\n" * 100,
}


def main() -> int:
    if shutil.which("nginx") is None:
        print("nginx is not installed; nothing can be compared.")
        return 1
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        serving.publish(folder)
        _add_assets(folder)
        ours = stack.enter_context(serving.granian(folder, workers=4))
        theirs = stack.enter_context(serving.nginx(folder))[0]
        found: dict[str, list[float]] = {ours.name: [], theirs.name: []}
        for _round in range(ROUNDS):
            for target in (ours, theirs):
                port = int(target.url.split(":")[2].rstrip("/"))
                found[target.name].append(asyncio.run(_stampede(port)))
    middle = {name: sorted(times)[ROUNDS // 2] for name, times in found.items()}
    for name, last in middle.items():
        print(f"{name:30} last of {VISITS} visits after {last * 1000:6.0f} ms (median of {ROUNDS})")
    ratio = middle[ours.name] / middle[theirs.name]
    print(f"ratio {ratio:.2f}, limit {LIMIT}")
    return 0 if ratio <= LIMIT else 1


def _add_assets(folder: Path) -> None:
    from statuspage.publisher.site import Site  # noqa: PLC0415 - Django is set up by now
    from statuspage.serving.directory import folder_of  # noqa: PLC0415

    site = Site(folder_of(folder / "public", "main"))
    for path, body in ASSETS.items():
        site.replace_archived(path, body)
        file = folder / "plain" / path[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        Path(f"{file}.gz").write_bytes(gzip.compress(body, 9, mtime=0))


async def _stampede(port: int) -> float:
    """Return the seconds until the last visit is over."""
    began = time.perf_counter()
    await asyncio.gather(*(_visit(port) for _number in range(VISITS)))
    return time.perf_counter() - began


async def _visit(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for path in ("/", *ASSETS):
        asked = f"GET {path} HTTP/1.1\r\nHost: status.example\r\nAccept-Encoding: gzip\r\n\r\n"
        writer.write(asked.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise RuntimeError(f"{path} was not answered: {head!r}")
        length = next(
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        await reader.readexactly(length)
    writer.close()


if __name__ == "__main__":
    sys.exit(main())
