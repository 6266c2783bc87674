"""Runbooks: what to do when a database is lost, made anew from what is configured at each reading.

Facts in, text out; no Django, no storage, no clock. What a drill has proven says so, and so does
what none has.
"""

from backups.runbook.making import make_runbook
from backups.runbook.values import (
    Command,
    Contact,
    Drilled,
    Facts,
    Loss,
    Newest,
    Place,
    Proof,
    Runbook,
    Section,
    Step,
    Target,
)
from backups.runbook.writing import WITHOUT, as_markdown

__all__ = [
    "WITHOUT",
    "Command",
    "Contact",
    "Drilled",
    "Facts",
    "Loss",
    "Newest",
    "Place",
    "Proof",
    "Runbook",
    "Section",
    "Step",
    "Target",
    "as_markdown",
    "make_runbook",
]
