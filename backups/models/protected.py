"""What is protected: a cluster, and the customers' databases in it."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q, TextChoices
from django.utils.translation import gettext_lazy as _

from backups.models.storage import StorageLocation
from credentials import REFERENCE
from incidents.models.fields import is_known


class EngineName(TextChoices):
    BARMAN_CLOUD = "BARMAN_CLOUD", _("Barman, to object storage")
    PGBACKREST = "PGBACKREST", _("pgBackRest, to object storage")
    PG_DUMP = "PG_DUMP", _("pg_dump of each database, to object storage")


class CheckDepth(TextChoices):
    """How much of a cluster that came back is read before it is opened."""

    FULL = "FULL", _("Everything: every page, and every row against its indexes")
    QUICK = "QUICK", _("Quickly: the catalogue and what is small; no page checksums")


class RegisteredManager(models.Manager["Database"]):
    """The databases that are registered: what is not any more is found by its history alone."""

    def get_queryset(self) -> models.QuerySet["Database"]:
        return super().get_queryset().filter(unregistered_at=None)


class Database(models.Model):
    """A PostgreSQL cluster to protect, and what its catalogue last said.

    One that was unregistered stays as a row, so that its restores and drills keep their name; only
    ``everything`` finds it. Its name and its archive may be registered again.
    """

    name = models.CharField(max_length=60)
    engine = models.CharField(max_length=20, choices=EngineName, default=EngineName.BARMAN_CLOUD)
    host = models.CharField(max_length=200)
    port = models.PositiveIntegerField(default=5432)
    superuser = models.CharField(max_length=63, default="postgres")
    password_reference = models.CharField(max_length=300)
    storage = models.ForeignKey(StorageLocation, on_delete=models.PROTECT, related_name="databases")
    # Other places that hold the same objects, and help a fetch when the first one does not.
    copies = models.ManyToManyField(StorageLocation, related_name="copied_databases", blank=True)
    # Its name in the archive, as the backup tool calls it.
    archive_name = models.CharField(max_length=60)
    check_depth = models.CharField(max_length=5, choices=CheckDepth, default=CheckDepth.FULL)
    recovery_point_objective = models.DurationField(null=True, blank=True)
    recovery_time_objective = models.DurationField(null=True, blank=True)
    # What customers read where the page says how fresh its backups are; empty: nothing is said.
    public_name = models.CharField(max_length=140, blank=True)
    # How old the last backup, and the last proof that one can be restored, may be before the page
    # says so; empty for the objective above or a day, and for five weeks.
    backup_stale_after = models.DurationField(null=True, blank=True)
    proof_stale_after = models.DurationField(null=True, blank=True)
    registered_at = models.DateTimeField()
    # Since when nothing watches it any more, and who said so; None while it is registered.
    unregistered_at = models.DateTimeField(null=True, blank=True)
    unregistered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    # The catalogue as it was last read: between these two moments it can be restored.
    synced_at = models.DateTimeField(null=True, blank=True)
    # When the listing of its own storage began by which its objects were last looked for.
    listed_at = models.DateTimeField(null=True, blank=True)
    earliest_restorable_at = models.DateTimeField(null=True, blank=True)
    latest_restorable_at = models.DateTimeField(null=True, blank=True)

    objects = RegisteredManager()
    everything = models.Manager["Database"]()

    class Meta:
        constraints = [
            is_known("database", "engine", EngineName),
            is_known("database", "check_depth", CheckDepth),
            models.UniqueConstraint(
                name="database_has_its_own_name",
                fields=["name"],
                condition=Q(unregistered_at=None),
                violation_error_message=_("A database of this name is registered already."),
            ),
            models.UniqueConstraint(
                name="database_has_its_own_archive",
                fields=["storage", "archive_name"],
                condition=Q(unregistered_at=None),
                violation_error_message=_(
                    "Another database has an archive of this name in this storage location."
                ),
            ),
            models.CheckConstraint(
                name="database_names_its_password",
                condition=Q(password_reference__regex=REFERENCE),
            ),
            models.CheckConstraint(
                name="database_window_ends_after_it_begins",
                condition=Q(earliest_restorable_at__isnull=True, latest_restorable_at__isnull=True)
                | Q(latest_restorable_at__gte=F("earliest_restorable_at")),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        """What the record of incidents calls this database."""
        return f"database:{self.pk}"


class Tenant(models.Model):
    """One customer's database inside a cluster."""

    database = models.ForeignKey(Database, on_delete=models.PROTECT, related_name="tenants")
    # The name of the database in the cluster; customers see the code.
    name = models.CharField(max_length=63)
    public_code = models.CharField(max_length=40)
    # Lower comes back first.
    priority = models.PositiveSmallIntegerField(default=100)
    registered_at = models.DateTimeField()
    # Since when its database is registered no more: its turns in restores stay on record.
    unregistered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="tenant_has_its_own_code",
                fields=["public_code"],
                condition=Q(unregistered_at=None),
                violation_error_message=_("A tenant with this public code is registered already."),
            ),
            models.UniqueConstraint(
                name="tenant_is_once_in_its_database", fields=["database", "name"]
            ),
        ]

    def __str__(self) -> str:
        return self.public_code

    @property
    def key(self) -> str:
        """What the record of incidents calls this tenant."""
        return f"tenant:{self.pk}"
