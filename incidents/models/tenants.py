"""What one tenant may know of its own data, and what all may know of the backups."""

import secrets

from django.db import models
from django.db.models import F, Q

from incidents.models.fields import is_known, is_known_or_empty
from incidents.models.progress import ProgressReport
from incidents.values import ProvenHow, TenantState

# Neither vowels, so that no words appear, nor what is read for something else (0 o, 1 l i y).
CODE_ALPHABET = "23456789bcdfghjkmnpqrstvwxz"
# 76 bits: nobody finds one by trying.
CODE_LENGTH = 16
_GROUP = 4


def new_lookup_code() -> str:
    """Return a code that nobody can guess and that can be read out over a telephone."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))


class Tenant(models.Model):
    """Somebody whose data comes back or not: a customer's own part of a restore."""

    # What the source calls it: "database:tenant". Never shown to customers.
    key = models.CharField(max_length=140, unique=True)
    # What the tenant itself sees, and nobody else.
    name = models.CharField(max_length=140)
    # Whoever has it sees the tenant's page. Nothing lists these codes but the desk.
    lookup_code = models.CharField(
        max_length=CODE_LENGTH, unique=True, default=new_lookup_code, editable=False
    )
    # Since when that code has been the one.
    coded_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="tenant_lookup_code_is_one",
                condition=Q(lookup_code__regex=f"^[{CODE_ALPHABET}]{{{CODE_LENGTH}}}$"),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def spoken_code(self) -> str:
        """The code as people read it: "k7qf-2m9x-bcdf-ghjk"."""
        code = self.lookup_code
        return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))


class TenantProgress(models.Model):
    """How far one tenant's data is in one restore: one row, edited in place by the job."""

    report = models.ForeignKey(ProgressReport, on_delete=models.CASCADE, related_name="tenants")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="progress")
    # How many, this one included, are still to be dealt with before it is done: 1 is next.
    # No more than that many; far places are told coarsely.
    place = models.PositiveIntegerField(null=True, blank=True)
    state = models.CharField(max_length=12, choices=TenantState, default=TenantState.WAITING)
    # Everything up to this moment is, or will be, back.
    data_until_at = models.DateTimeField(null=True, blank=True)
    eta_low_at = models.DateTimeField(null=True, blank=True)
    eta_high_at = models.DateTimeField(null=True, blank=True)
    eta_basis = models.CharField(max_length=300, blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            is_known("tenantprogress", "state", TenantState),
            models.UniqueConstraint(
                name="tenant_has_one_row_a_report", fields=["report", "tenant"]
            ),
            models.CheckConstraint(
                name="tenantprogress_eta_is_a_range",
                condition=Q(eta_low_at__isnull=True, eta_high_at__isnull=True)
                | Q(eta_high_at__gte=F("eta_low_at")),
            ),
            models.CheckConstraint(
                name="tenantprogress_place_counts_from_one",
                condition=Q(place__isnull=True) | Q(place__gte=1),
            ),
            # What is done waits for nothing, and says up to when it is done.
            models.CheckConstraint(
                name="tenantprogress_verified_has_a_horizon",
                condition=~Q(state__in=[TenantState.VERIFIED, TenantState.BACK])
                | Q(place__isnull=True, eta_high_at__isnull=True, data_until_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id}: {self.get_state_display()}"


class BackupProof(models.Model):
    """When backups were last taken, and last proven restorable: for all to see."""

    # What the source calls it: "database:3". Never shown to customers.
    key = models.CharField(max_length=140, unique=True)
    name = models.CharField(max_length=140)
    taken_at = models.DateTimeField(null=True, blank=True)
    taken_stale_after = models.DurationField()
    proven_at = models.DateTimeField(null=True, blank=True)
    proven_stale_after = models.DurationField()
    proven_how = models.CharField(max_length=8, choices=ProvenHow, blank=True)
    # The moment to which that restore went.
    proven_until_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            is_known_or_empty("backupproof", "proven_how", ProvenHow),
            models.CheckConstraint(
                name="backupproof_proven_iff_it_says_how",
                condition=Q(proven_at__isnull=True, proven_how="")
                | (Q(proven_at__isnull=False) & ~Q(proven_how="")),
            ),
        ]

    def __str__(self) -> str:
        return self.name
