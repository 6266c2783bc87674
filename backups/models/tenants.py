"""Tenants that come back one by one, and what is looked at in what came back."""

from datetime import datetime
from typing import Any, Self

from django.db import models, transaction
from django.db.models import F, Q, TextChoices
from django.utils.translation import gettext_lazy as _

from backups.models.protected import Database, Tenant
from backups.models.restores import RestoreJob
from incidents.models.fields import is_known


class TenantRestoreState(TextChoices):
    WAITING = "WAITING", _("Waiting")
    RESTORING = "RESTORING", _("Being restored")
    # Its database took writes after it was reopened: somebody decides.
    CONFLICT = "CONFLICT", _("Took writes since")
    FAILED = "FAILED", _("Failed")
    KEPT = "KEPT", _("Left as it is")
    VERIFIED = "VERIFIED", _("Restored and checked")


# Places lie so far apart at first, so that one can be put between two others.
PLACES_APART = 1000
# Where nothing is left to do for a tenant.
DONE = (TenantRestoreState.VERIFIED, TenantRestoreState.KEPT)


class TenantRestoreQuerySet(models.QuerySet["TenantRestore"]):
    def in_order(self) -> Self:
        """Order as they come back: by place, the lowest first."""
        return self.order_by("place", "id")

    def waiting(self) -> Self:
        return self.filter(state=TenantRestoreState.WAITING)

    def to_do(self) -> Self:
        return self.filter(state__in=[TenantRestoreState.WAITING, TenantRestoreState.RESTORING])

    def undecided(self) -> Self:
        """Return those that wait for a person: failed, or in conflict."""
        return self.filter(state__in=[TenantRestoreState.FAILED, TenantRestoreState.CONFLICT])

    def moved_since(self, moment: datetime) -> Self:
        """Return those whose turn began or ended since then."""
        moved = Q(began_at__gte=moment) | Q(ended_at__gte=moment)
        return self.filter(moved).exclude(state=TenantRestoreState.WAITING)

    def kept_newer(self) -> Self:
        """Return those whose newer work was kept in place of what came back."""
        return self.filter(state=TenantRestoreState.KEPT, evidence__absent__isnull=True)

    def claim_next(self, *, at: datetime, most_bytes: int) -> "TenantRestore | None":
        """Take the next one that waits and is no larger than that; None if there is none.

        Who comes next is read here and now, so that a change of order acts at once.
        """
        with transaction.atomic():
            fits = Q(size_bytes__isnull=True) | Q(size_bytes__lte=most_bytes)
            rows = self.waiting().filter(fits).in_order().select_related("tenant")
            row = rows.select_for_update(skip_locked=True, of=("self",)).first()
            if row is not None:
                row.state, row.began_at, row.ended_at = TenantRestoreState.RESTORING, at, None
                row.attempts, row.done = row.attempts + 1, 0
                row.failure_code = row.detail = ""
                row.save(
                    update_fields=[
                        "state", "began_at", "ended_at", "attempts", "done", "failure_code",
                        "detail",
                    ]
                )  # fmt: skip
        return row

    def begin_again(self) -> int:
        """Let those wait whose worker is gone; how far each was shows in the cluster."""
        return self.filter(state=TenantRestoreState.RESTORING).update(
            state=TenantRestoreState.WAITING, done=0
        )

    def note(self, row: "TenantRestore", **values: Any) -> bool:
        """Write down what its lane says of it; False if that lane has lost it to another."""
        mine = self.filter(pk=row.pk, state=TenantRestoreState.RESTORING, attempts=row.attempts)
        for name, value in values.items():
            setattr(row, name, value)
        return bool(mine.update(**values))


class TenantRestore(models.Model):
    """One tenant's way back in a restore that brings tenants back one by one."""

    job = models.ForeignKey(RestoreJob, on_delete=models.CASCADE, related_name="tenant_restores")
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="restores")
    state = models.CharField(
        max_length=10, choices=TenantRestoreState, default=TenantRestoreState.WAITING
    )
    # Lower comes back first; may be changed while the restore runs.
    place = models.PositiveIntegerField()
    # What its database holds, in bytes; None while nobody has looked.
    size_bytes = models.BigIntegerField(null=True, blank=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    began_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # Everything up to this moment is there, once it is restored.
    data_until_at = models.DateTimeField(null=True, blank=True)
    # The state that its database had when it was reopened, to see whether it took writes since.
    reopened_as = models.JSONField(default=dict, blank=True)
    # Somebody has decided that its later writes may be replaced; they are kept beside it.
    may_replace = models.BooleanField(default=False)
    # Under which name its former database is kept.
    kept_as = models.CharField(max_length=63, blank=True)
    failure_code = models.CharField(max_length=40, blank=True)
    # The tool's own words, without secrets; for operators only.
    detail = models.TextField(blank=True)
    # What was counted when it was verified.
    evidence = models.JSONField(default=dict, blank=True)

    objects = TenantRestoreQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["job", "state", "place"], name="tenantrestore_in_order")]
        constraints = [
            is_known("tenantrestore", "state", TenantRestoreState),
            models.UniqueConstraint(
                name="tenantrestore_is_once_in_its_job", fields=["job", "tenant"]
            ),
            models.CheckConstraint(
                name="tenantrestore_says_why_it_failed",
                condition=~Q(state=TenantRestoreState.FAILED) | ~Q(failure_code=""),
            ),
            models.CheckConstraint(
                name="tenantrestore_done_is_within_total",
                condition=Q(done__gte=0) & (Q(total__isnull=True) | Q(done__lte=F("total"))),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant} in restore {self.job_id}"


class VerificationCheck(models.Model):
    """A question in SQL that staff ask of what came back.

    It answers with one row: a boolean that must be true, or a value that is shown (the freshest
    row, a sum), which must not be null. Without a tenant it is asked of every tenant's database.
    """

    database = models.ForeignKey(Database, on_delete=models.CASCADE, related_name="checks")
    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, null=True, blank=True, related_name="checks"
    )
    name = models.CharField(max_length=80)
    sql = models.TextField()
    registered_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="verificationcheck_is_once_by_name", fields=["database", "name"]
            ),
            models.CheckConstraint(
                name="verificationcheck_asks_something", condition=~Q(name="") & ~Q(sql="")
            ),
        ]

    def __str__(self) -> str:
        return self.name
