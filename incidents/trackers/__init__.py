"""Trackers in which action items are issues: one file a kind, and nothing else to add one.

A module of this package that holds ``ADAPTERS``, by the names that rows keep, is known by that.
"""

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from incidents.trackers.base import (
    Adapter,
    Draft,
    Fault,
    Remote,
    TrackerFault,
    Unproven,
    Where,
    Wish,
    plain,
)

__all__ = [
    "Adapter",
    "Draft",
    "Fault",
    "Remote",
    "TrackerFault",
    "Unproven",
    "Where",
    "Wish",
    "adapter",
    "adapters",
    "plain",
]


@cache
def adapters() -> Mapping[str, Adapter]:
    """Return every kind of tracker that we can speak with, by its name, in their order."""
    found: dict[str, Adapter] = {}
    for module in pkgutil.iter_modules(__path__):
        kinds = getattr(import_module(f"{__name__}.{module.name}"), "ADAPTERS", {})
        found |= kinds
    return found


def adapter(kind: str) -> Adapter:
    """Return what speaks with trackers of this kind.

    :raises TrackerFault: if its file is gone
    """
    try:
        return adapters()[kind]
    except KeyError:
        raise TrackerFault(Fault.INVALID, f"Nothing here speaks with “{kind}” any more.") from None
