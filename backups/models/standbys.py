"""Standbys: a cluster at a recovery target that is restored already, and follows the archive."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q, TextChoices
from django.utils.translation import gettext_lazy as _

from backups.models.protected import Database
from backups.models.restores import RecoveryTarget, RestoreJob
from incidents.models.fields import is_known


class StandbyState(TextChoices):
    RESTORING = "RESTORING", _("Its base is being restored")
    FOLLOWING = "FOLLOWING", _("Follows the archive")
    TAKEN = "TAKEN", _("Taken over by a restore")
    STOPPING = "STOPPING", _("Being taken away")


# Nobody makes it follow any more: whoever is at it has to stop.
UNTENDED = (StandbyState.TAKEN, StandbyState.STOPPING)


class StandbyQuerySet(models.QuerySet["Standby"]):
    def claim(self, pk: int, *, worker: str, until: datetime, at: datetime) -> bool:
        """Take a standby for one look; False while another worker is at it, or it is gone."""
        free = Q(leased_until__isnull=True) | Q(leased_until__lt=at)
        taken = self.filter(free, pk=pk).update(leased_by=worker, leased_until=until)
        return bool(taken)

    def renew(self, pk: int, *, worker: str, until: datetime, at: datetime) -> bool:
        """Keep it; False once somebody wants to stop it or to bring it up, or another has it."""
        tended = self.filter(pk=pk, leased_by=worker).exclude(state__in=UNTENDED)
        return bool(tended.update(leased_until=until))

    def let_go(self, pk: int, *, worker: str) -> None:
        """Give it back after a look."""
        self.filter(pk=pk, leased_by=worker).update(leased_by="", leased_until=None)

    def warm(self) -> Self:
        """Return those that can be brought up."""
        return self.filter(state=StandbyState.FOLLOWING, warm_until_at__isnull=False)


class Standby(models.Model):
    """A database's cluster kept warm at a recovery target: restored, and replaying what arrives.

    The target is its alone. Its directory is that of ``base``, the restore that unpacked its
    backup; whoever brings it up goes on from there.
    """

    target = models.OneToOneField(RecoveryTarget, on_delete=models.PROTECT, related_name="standby")
    database = models.ForeignKey(Database, on_delete=models.PROTECT, related_name="standbys")
    state = models.CharField(max_length=9, choices=StandbyState, default=StandbyState.RESTORING)
    base = models.OneToOneField(RestoreJob, on_delete=models.PROTECT, related_name="standby")
    # The restore that brings it up.
    taken_by = models.ForeignKey(
        RestoreJob, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    requested_at = models.DateTimeField()
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    # Everything up to this moment is replayed, and when that was seen; None while it is not warm.
    warm_until_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    # Of what was archived and is not replayed yet: since when the oldest of it lies there (None if
    # there is none), how much it is as log, and how much of it is still to be fetched.
    behind_since_at = models.DateTimeField(null=True, blank=True)
    behind_bytes = models.BigIntegerField(default=0)
    unfetched_bytes = models.BigIntegerField(default=0)
    # What is replayed once more when it is started again: since its last restartpoint.
    again_bytes = models.BigIntegerField(default=0)
    # Why it does not follow, in words, and since when; empty while all is well.
    trouble = models.CharField(max_length=300, blank=True)
    trouble_since_at = models.DateTimeField(null=True, blank=True)
    # How often, when last and why it had to begin again with a new base.
    times_begun = models.PositiveIntegerField(default=1)
    begun_again_at = models.DateTimeField(null=True, blank=True)
    begun_again_because = models.CharField(max_length=300, blank=True)
    # HOST:PID:TOKEN of the worker that looks after it at this moment.
    leased_by = models.CharField(max_length=120, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)

    objects = StandbyQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("standby", "state", StandbyState),
            models.CheckConstraint(
                name="standby_is_taken_by_a_restore",
                condition=Q(state=StandbyState.TAKEN, taken_by__isnull=False)
                | ~Q(state=StandbyState.TAKEN),
            ),
            models.CheckConstraint(
                name="standby_is_warm_since_it_was_seen",
                condition=Q(warm_until_at__isnull=True) | Q(seen_at__isnull=False),
            ),
            models.CheckConstraint(
                name="standby_says_since_when_it_is_in_trouble",
                condition=Q(trouble="", trouble_since_at__isnull=True)
                | (~Q(trouble="") & Q(trouble_since_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="standby_is_held_until",
                condition=Q(leased_by="") | Q(leased_until__isnull=False),
            ),
            models.CheckConstraint(
                name="standby_counts_its_bytes",
                condition=Q(behind_bytes__gte=0, unfetched_bytes__gte=0, again_bytes__gte=0),
            ),
        ]

    def __str__(self) -> str:
        return f"Standby of {self.database} at {self.target}"
