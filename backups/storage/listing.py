"""What lies in a storage, by name, where nothing but this program is at hand to ask it.

    python -m backups.storage.listing --source URL,BUCKET[,PREFIX] [--source ...]

A line for each object whose key begins with the prefix: how many bytes, and the key, which
``python -m backups.storage.fetch`` takes. Keys of the storage are read as that program reads them.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from backups.errors import EngineFailed, StorageUnavailable
from backups.storage.answers import PassingTrouble
from backups.storage.program import (
    DONE,
    FAILED,
    HOPELESS,
    HOPELESS_KINDS,
    REFUSED,
    REFUSED_KINDS,
    by_hand,
    place_given,
    source_of,
)
from backups.storage.sources import Sources
from backups.storage.values import ObjectRef

T = TypeVar("T")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the names, and return the exit code: see ``--help``."""
    given = _parser().parse_args(arguments)
    sources = Sources(
        [
            source_of(number, url=url, bucket=bucket, prefix=prefix)
            for number, (url, bucket, prefix) in enumerate(given.source, start=1)
        ]
    )
    prefix, found = given.source[0][2], False
    try:
        for ref in _objects(sources, prefix, patience=given.patience):
            found = True
            sys.stdout.write(f"{ref.size:>14}  {ref.key}\n")
    except EngineFailed as failure:
        _say(by_hand(failure))
        if isinstance(failure, REFUSED_KINDS):
            return REFUSED
        return HOPELESS if isinstance(failure, HOPELESS_KINDS) else FAILED
    finally:
        sources.close()
    if not found:
        _say("No key there begins so. Try a shorter one, or none.")
    return DONE if found else HOPELESS


def _objects(sources: Sources, prefix: str, *, patience: float) -> Iterator[ObjectRef]:
    after = ""
    while True:
        page = _patiently(partial(sources.list_page, prefix, after=after), patience)
        yield from page.objects
        if not page.next_token or not page.objects:
            return
        after = page.objects[-1].key


def _patiently(ask: Callable[[], T], patience: float) -> T:
    deadline = time.monotonic() + patience
    while True:
        try:
            return ask()
        except PassingTrouble as trouble:
            if time.monotonic() > deadline:
                raise StorageUnavailable(str(trouble)) from trouble
            time.sleep(0.2)


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m backups.storage.listing",
        description="Name what lies in a storage that resets, stalls and refuses.",
        epilog="Exit codes: 0 here it is; 1 gave up; 2 wrong usage; 3 there is nothing, or no such "
        "bucket; 4 the keys are refused.",
    )
    parser.add_argument(
        "--source", action="append", required=True, type=place_given, metavar="URL,BUCKET[,PREFIX]",
        help="where to look, and how keys begin; again for a replica, the preferred one first",
    )  # fmt: skip
    parser.add_argument(
        "--patience", type=float, default=300, metavar="SECONDS",
        help="how long to wait for a storage that does not answer (300)",
    )  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
