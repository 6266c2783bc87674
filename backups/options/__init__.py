"""What can be done to bring a database back, side by side: pure choices from plain facts.

No rows, no storage, no clock: whoever asks brings the facts, as fresh as they are.
"""

from backups.options.board import is_code, make_board, moment_of
from backups.options.values import (
    BackupFacts,
    Board,
    Facts,
    Phase,
    PlaceFacts,
    Point,
    Range,
    RecoveryOption,
    Risk,
    Severity,
    StandbyFacts,
    Strategy,
    TargetFacts,
)

__all__ = [
    "BackupFacts",
    "Board",
    "Facts",
    "Phase",
    "PlaceFacts",
    "Point",
    "Range",
    "RecoveryOption",
    "Risk",
    "Severity",
    "StandbyFacts",
    "Strategy",
    "TargetFacts",
    "is_code",
    "make_board",
    "moment_of",
]
