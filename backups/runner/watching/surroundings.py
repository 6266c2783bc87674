"""What the databases of one look have in common: targets and storages, each read once."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property

from backups import saturation
from backups.models import (
    Drill,
    DrillState,
    JobState,
    RecoveryTarget,
    RestoreJob,
    Standby,
    StorageProbe,
)
from backups.queries.weather import windows_of

# Keys that may not write are tried for writing once a day; of what is older nothing is said.
PROBES_HOLD = timedelta(days=1, hours=2)


class Surroundings:
    """The places around the databases that are looked at together, as of one moment."""

    def __init__(self, *, at: datetime) -> None:
        self._at = at
        self._probes: dict[int, Sequence[StorageProbe]] = {}
        self._windows: dict[int, Sequence[saturation.Window]] = {}

    @cached_property
    def targets(self) -> Sequence[RecoveryTarget]:
        """Every recovery target, by name."""
        return list(RecoveryTarget.objects.order_by("name"))

    @cached_property
    def taken(self) -> Mapping[int, str]:
        """What is under way at recovery targets, by their ids."""
        under_way = [JobState.QUEUED, JobState.RUNNING, JobState.PAUSED]
        held = RestoreJob.objects.filter(state__in=under_way)
        drills = Drill.objects.filter(state=DrillState.CLEARING, restore__isnull=False)
        standing = drills.select_related("database", "restore")
        return {
            **{
                each.restore.target_id: f"still has the cluster of {each}"
                for each in standing
                if each.restore is not None
            },
            **{
                each.target_id: f"is taken by {'a drill' if each.is_scratch else 'a restore'} of "
                f"{each.database}"
                for each in held.select_related("database")
            },
        }

    @cached_property
    def standbys(self) -> Mapping[int, Standby]:
        """What is kept warm, by the ids of the targets."""
        rows = Standby.objects.select_related("database", "target", "base", "taken_by")
        return {each.target_id: each for each in rows.order_by("target__name")}

    @cached_property
    def stopped(self) -> Mapping[int, str]:
        """The restores that have stopped at a target and were not called off, by its id."""
        rows = RestoreJob.objects.filter(state=JobState.FAILED).select_related("database")
        return {
            each.target_id: f"is held by {each} of {each.database}, which has stopped there"
            for each in rows.order_by("pk")
        }

    def probes(self, location_id: int) -> Sequence[StorageProbe]:
        """Return the newest probe of each kind of a storage, as far as it says anything of now."""
        if location_id not in self._probes:
            rows = StorageProbe.objects.filter(
                location_id=location_id, at__gte=self._at - PROBES_HOLD
            )
            self._probes[location_id] = list(rows.order_by("kind", "-at").distinct("kind"))
        return self._probes[location_id]

    def windows(self, location_id: int) -> Sequence[saturation.Window]:
        """Return the saturation windows of a storage that hold now or later."""
        if location_id not in self._windows:
            found = windows_of([location_id], at=self._at)
            self._windows[location_id] = found[location_id]
        return self._windows[location_id]
