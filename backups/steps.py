"""How work tells how far it is: values that come out of an iterator, never callbacks that go in."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far the work is. ``total`` is None while the tool cannot tell.

    ``waiting`` is empty while the work advances, and else a stable code that says what it waits
    for. ``counters`` count what went wrong and was ridden out (retries, resets, ...), for the job's
    own record.
    """

    done: int
    total: int | None = None
    waiting: str = ""
    counters: Mapping[str, int] = field(default_factory=dict)
