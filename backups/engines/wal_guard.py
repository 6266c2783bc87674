"""Hand PostgreSQL a WAL file from the stage; a program of its own, PostgreSQL's restore command.

PostgreSQL takes any exit code from 1 to 125 for "the archive ends here" and opens the cluster,
whatever the cause was. So this program is strict: 0 only after a verified copy, 1 only if the
archive's listing proves that there is no such file, and for everything else it waits for the file
to be brought (asking for it in the ``wanted`` folder) and in the end exits with 255, on which
PostgreSQL stops and can be started again. It imports little and only from the standard library,
because it starts once for each file, and links a file instead of copying it where that can be done:
replay stands still meanwhile. (PostgreSQL must run with ``wal_recycle`` off then, or it would write
over what lies in the stage.)

Usage: wal_guard.py STAGE FILE DESTINATION

STAGE holds ``listing`` (every WAL file of the archive, one a line), ``index`` (name, size and
CRC-32 of each staged file), ``files/``, ``wanted/``, ``served`` (what was handed out, in order) and
``budget`` (the seconds to wait).
"""

import io
import os
import sys
import time
import zlib

SERVED, ABSENT, STOP = 0, 1, 255
SEGMENT_LENGTH = 24
READ_BYTES = 256 * 1024


def is_segment(name: str) -> bool:
    return len(name) == SEGMENT_LENGTH and name.isalnum()


def hand_over(stage: str, name: str, destination: str) -> bool:
    """Put a staged file where PostgreSQL wants it; False if it is not what was staged."""
    with open(os.path.join(stage, "index"), encoding="ascii") as file:
        index = "\n" + file.read()
    # The last line counts: a file that was staged again supersedes itself.
    at = index.rfind(f"\n{name} ")
    if at < 0:
        return False
    size, crc = index[at + 1 :].split("\n", 1)[0].split(" ")[1:3]
    staged = os.path.join(stage, "files", name)
    try:
        with io.FileIO(staged) as file:
            if os.fstat(file.fileno()).st_size != int(size) or crc_of(file) != int(crc):
                return False
    except FileNotFoundError:
        return False
    put(staged, destination)
    return True


def crc_of(file: io.FileIO) -> int:
    crc, buffer = 0, memoryview(bytearray(READ_BYTES))
    while length := file.readinto(buffer):
        crc = zlib.crc32(buffer[:length], crc)
    return crc


def put(staged: str, destination: str) -> None:
    # What lies there may be a link to a staged file, and is never to be written to.
    if os.path.lexists(destination):
        os.unlink(destination)
    try:
        os.link(staged, destination)
    except OSError:
        # On another file system, for instance.
        with open(staged, "rb") as source, open(destination, "wb") as copy:
            while content := source.read(READ_BYTES):
                copy.write(content)


def is_proven_absent(listing: set[str], name: str) -> bool:
    """Say whether the archive's listing proves that there is no such file to come.

    A segment is absent if it lies outside of what the archive holds of its timeline; inside of that
    it would be a hole, which is no end of the archive.
    """
    if name in listing:
        return False
    if not is_segment(name):
        return True
    siblings = [other for other in listing if other.startswith(name[:8]) and is_segment(other)]
    return not siblings or name < min(siblings) or name > max(siblings)


def serve(stage: str, name: str, destination: str) -> int:
    with open(os.path.join(stage, "listing"), encoding="ascii") as file:
        listing = set(file.read().split())
    if not listing:
        return STOP
    if is_proven_absent(listing, name):
        return ABSENT
    with open(os.path.join(stage, "budget"), encoding="ascii") as file:
        deadline = time.monotonic() + float(file.read())
    while not hand_over(stage, name, destination):
        if name not in listing or time.monotonic() > deadline:
            return STOP
        with open(os.path.join(stage, "wanted", name), "ab"):
            pass
        time.sleep(0.2)
    with open(os.path.join(stage, "served"), "a", encoding="ascii") as file:
        file.write(name + "\n")
    return SERVED


def main(arguments: list[str]) -> int:
    try:
        stage, name, destination = arguments
        return serve(stage, name, destination)
    except BaseException as error:  # noqa: BLE001 - any way out of here but 255 could end recovery early
        sys.stderr.write(f"wal guard: {type(error).__name__}: {error}\n")
        return STOP


if __name__ == "__main__":
    # Not sys.exit: flushing or closing must not turn into another exit code.
    sys.stderr.flush()
    os._exit(main(sys.argv[1:]))
