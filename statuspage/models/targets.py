"""How publishing goes, and where else the pages are copied to."""

from django.db import models
from django.db.models import Q, TextChoices
from django.utils.translation import gettext_lazy as _

from credentials import REFERENCE
from incidents.models.fields import is_known
from statuspage.models.pages import Page


class Publication(models.Model):
    """How publishing a page goes. A row exists from the first failure on."""

    page = models.OneToOneField(Page, on_delete=models.CASCADE, related_name="publication")
    failing_since = models.DateTimeField(null=True, blank=True)
    # A sentence for staff.
    failure = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="publication_says_why_it_fails",
                condition=Q(failing_since__isnull=True, failure="")
                | (Q(failing_since__isnull=False) & ~Q(failure="")),
            ),
        ]

    def __str__(self) -> str:
        return self.failure or "published"


class TargetKind(TextChoices):
    """Where a page is copied to."""

    DIRECTORY = "directory", _("A directory")
    S3 = "s3", _("An S3 bucket")


class PublishTarget(models.Model):
    """A place to which what is published is copied, each time and by itself.

    The credentials are named, never kept: see the package `credentials`.
    """

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="targets")
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=12, choices=TargetKind)
    # Of a directory.
    path = models.CharField(max_length=500, blank=True)
    # Of a bucket.
    endpoint = models.URLField(max_length=500, blank=True)
    region = models.CharField(max_length=40, blank=True)
    bucket = models.CharField(max_length=120, blank=True)
    prefix = models.CharField(max_length=200, blank=True)
    uses_path_style = models.BooleanField(default=True)
    credentials_reference = models.CharField(max_length=300, blank=True)

    # Whether tenants' own documents are copied, too: only where nobody can list them.
    has_my_data = models.BooleanField(default=False)
    is_on = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    tried_at = models.DateTimeField(null=True, blank=True)
    # What is there: the last revision that was brought as a whole, and when.
    pushed_revision = models.PositiveIntegerField(default=0)
    pushed_at = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    failure = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            is_known("publishtarget", "kind", TargetKind),
            models.UniqueConstraint(
                name="publishtarget_name_is_unique_a_page", fields=["page", "name"]
            ),
            models.UniqueConstraint(
                name="publishtarget_has_a_place_of_its_own",
                fields=["kind", "path", "endpoint", "bucket", "prefix"],
            ),
            models.CheckConstraint(
                name="publishtarget_says_where",
                condition=(Q(kind=TargetKind.DIRECTORY, bucket="") & ~Q(path=""))
                | (
                    Q(kind=TargetKind.S3, path="", credentials_reference__regex=REFERENCE)
                    & ~Q(bucket="")
                    & ~Q(region="")
                ),
            ),
            models.CheckConstraint(
                name="publishtarget_says_why_it_fails",
                condition=Q(failing_since__isnull=True, failure="")
                | (Q(failing_since__isnull=False) & ~Q(failure="")),
            ),
        ]

    def __str__(self) -> str:
        return self.name
