"""Files of an archived log, by their names: whether what lies under one can be that file."""

import hashlib
import re

from backups.engines.packings import PACKINGS, UNPACKING_ERRORS, unpacked
from backups.engines.wal import fault_of_segment

_NAME = re.compile(
    r"^(?:(?P<segment>[0-9A-F]{24})(?:-(?P<sha1>[0-9a-f]{40}))?"
    r"|[0-9A-F]{24}\.(?:partial|[0-9A-F]{8}\.backup)|[0-9A-F]{8}\.history)"
    rf"(?:\.(?P<packing>{'|'.join(PACKINGS)}))?$"
)


def is_of_the_log(name: str) -> bool:
    """Say whether an object of this name is a file of an archived log, as any engine keeps it."""
    return _NAME.match(name) is not None


def fault_of_archived(name: str, content: bytes) -> str:
    """Say in words why this cannot be the archived file of that name; empty where it can.

    A segment has to have its length, its place in the log and, as pgBackRest names it, its SHA-1.

    :raises ValueError: if the name is not one of an archived log
    """
    known = _NAME.match(name)
    if known is None:
        raise ValueError(f"not a file of an archived log: {name!r}")
    try:
        plain = unpacked(content, known["packing"] or "")
    except UNPACKING_ERRORS as error:
        return f"cannot be unpacked: {error}"
    if known["segment"] is None:
        return "" if plain else "empty"
    digest = hashlib.sha1(plain, usedforsecurity=False).hexdigest()
    if known["sha1"] not in (None, digest):
        return "not what its name says"
    return fault_of_segment(known["segment"], plain[:64], len(plain))
