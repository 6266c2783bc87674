"""Programs of other people, run so that they cannot hang us, outlive us, or be read by a shell."""

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from backups.errors import ToolFailed, ToolMissing, ToolSilent

TAIL_BYTES = 16_000
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "AWS_CA_BUNDLE")


@dataclass(slots=True)
class Output:
    """What a program has printed so far: all of its output, the end of its errors.

    ``news`` is what came on the errors' side since the last look, uncut: where PostgreSQL's
    programs tell what they are doing. ``code`` is that of its end, None until then.
    """

    text: bytearray
    errors: bytearray
    quiet_seconds: float = 0.0
    news: bytes = b""
    code: int | None = None


def found(program: str) -> str:
    """Return the path of a program that may be named without one.

    :raises ToolMissing: if it is not there
    """
    path = shutil.which(program)
    if path is None:
        raise ToolMissing(f"there is no program {program}")
    return path


class Lines:
    """Puts together the lines of a program's errors side, which come in pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def of(self, output: Output) -> list[bytes]:
        """Return the lines that were completed by the latest news."""
        *whole, self._rest = (self._rest + output.news).split(b"\n")
        return whole


def run(command: Sequence[str], *, env: Mapping[str, str], silence_seconds: float = 60) -> str:
    """Run a program to its end and return what it printed. See ``follow`` for what it raises."""
    output = Output(bytearray(), bytearray())
    for output in follow(command, env=env):
        if output.quiet_seconds > silence_seconds:
            raise ToolSilent(f"{Path(command[0]).name} was silent for {silence_seconds:.0f} s")
    return output.text.decode(errors="replace")


def follow(
    command: Sequence[str], *, env: Mapping[str, str], accepted: Collection[int] = (0,)
) -> Iterator[Output]:
    """Run a program, looking up a few times a second; closing the iterator ends its whole group.

    Only ``env`` and a handful of harmless variables are passed on.

    :raises ToolMissing: if it is not there
    :raises ToolFailed: if it ends with a code that is not accepted; ``detail`` holds its last words
    """
    inherited = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    try:
        process = subprocess.Popen(
            command,
            env={**inherited, "PYTHONUNBUFFERED": "1", "TZ": "UTC", **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise ToolMissing(f"there is no program {command[0]}") from error
    try:
        output = Output(bytearray(), bytearray())
        yield from _read(process, output)
        code = process.wait()
        if code not in accepted:
            said = output.errors.decode(errors="replace").strip()
            raise ToolFailed(f"{Path(command[0]).name} ended with {code}: {said}")
        output.news, output.code = b"", code
        yield output
    finally:
        _end(process)


def _read(process: "subprocess.Popen[bytes]", output: Output) -> Iterator[Output]:
    with selectors.DefaultSelector() as selector:
        selector.register(_pipe(process.stdout), selectors.EVENT_READ, output.text)
        selector.register(_pipe(process.stderr), selectors.EVENT_READ, output.errors)
        heard_at = time.monotonic()
        while selector.get_map():
            output.news = b""
            for key, _events in selector.select(timeout=0.5):
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fileobj)
                    continue
                heard_at = time.monotonic()
                key.data.extend(data)
                if key.data is output.errors:
                    output.news += data
                    del output.errors[:-TAIL_BYTES]
            output.quiet_seconds = time.monotonic() - heard_at
            yield output


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the group, first politely: barman closes its backup on SIGTERM."""
    for number, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        if process.poll() is not None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
