"""Bring objects to a local stage through a connection that resets, stalls and refuses.

Objects come by parallel ranges, small ones many at once, from one source or several. Each request
has a limit on silence, not on the whole. What breaks off goes on at the byte where it broke, what
is silent is asked for elsewhere, what is damaged comes again. What arrived is journalled, so that
another process can go on where this one died. An outage is waited out, and said so by the steps
that are yielded.

As a program: python -m backups.storage.fetch --source URL,BUCKET,KEY DEST; see ``program``.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from backups.steps import Step
from backups.storage.fetcher import Fetcher, Measurement
from backups.storage.items import MIB, PART_BYTES, FetchItem, Manner, Unsound
from backups.storage.jobs import Finish
from backups.storage.s3 import Bucket
from backups.storage.sources import Source, Sources

__all__ = [
    "MIB",
    "PART_BYTES",
    "FetchItem",
    "Fetcher",
    "Manner",
    "Measurement",
    "Source",
    "Sources",
    "Unsound",
    "fetch",
]


def fetch(
    sources: Sources | Bucket,
    items: Sequence[FetchItem],
    stage: Path,
    *,
    manner: Manner | None = None,
    finish: Finish | None = None,
    afresh: bool = False,
) -> Iterator[Step]:
    """Bring the items to the stage, going on from whatever an earlier fetch left there.

    ``finish`` is called once for each object that is whole, in a thread of the fetch; it may raise
    ``Unsound``, and may empty the file that it used up. With ``afresh`` what is there counts for
    nothing.

    :raises EngineFailed: see ``backups.errors``; the stage stays as it is, to be continued
    """
    several = Sources.of(sources) if isinstance(sources, Bucket) else sources
    with Fetcher(several, stage, manner=manner) as fetcher:
        yield from fetcher.steps(items, finish=finish, afresh=afresh)


if __name__ == "__main__":
    # Imported here: the program stands on this module, which is a library to everybody else.
    from backups.storage import program

    raise SystemExit(program.main())
