"""What was predicted of a restore's end, and what came true of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from backups import queries
from backups.models import Estimate

# So many lines say how a night of forecasts went.
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Prediction:
    """A forecast, and how far the truth was from it once that is known."""

    estimate: Estimate

    @property
    def percent(self) -> int | None:
        """How much of its phase was done."""
        total = self.estimate.total
        return self.estimate.done * 100 // total if total else None

    @property
    def came(self) -> datetime | None:
        """When the restore did end; None while it has not."""
        return self.estimate.came_true_at

    @property
    def is_within(self) -> bool:
        """Whether it came within the wider range."""
        said, came = self.estimate, self.came
        return came is not None and said.low80_at <= came <= said.high80_at

    @property
    def is_late(self) -> bool:
        return self.came is not None and self.came > self.estimate.middle_at

    @property
    def off(self) -> timedelta:
        """How far the truth was from the middle."""
        return abs((self.came or self.estimate.middle_at) - self.estimate.middle_at)


def predictions_of(restore_id: int) -> list[Prediction]:
    """Return the first and the last forecast and some evenly between, oldest first."""
    return [Prediction(each) for each in queries.estimates_of(restore_id, limit=_SHOWN)]
