"""The written account of an incident: its sections, and the document it came from."""

from typing import Self

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from incidents.models.fields import Worded, is_known, words_of
from incidents.models.incident import Incident
from incidents.values import PostmortemState, SectionKind


class PostmortemQuerySet(models.QuerySet["Postmortem"]):
    def written(self) -> Self:
        """Those that are more than begun: imported, or handed in by whoever writes them."""
        return self.filter(~Q(document="") | ~Q(state=PostmortemState.DRAFT))


class Postmortem(Worded):
    """The written account of an incident, and how far its review is."""

    incident = models.OneToOneField(Incident, on_delete=models.CASCADE, related_name="postmortem")
    # The document as it was imported, to the letter: the record's entries point at its lines.
    # Empty where the account was begun here.
    document = models.TextField(blank=True)
    source_name = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=PostmortemState, default=PostmortemState.DRAFT)
    # Who sees to it that it is written.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    review_asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    approver = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    # Why whoever should have approved it gave it back, while it is a draft again.
    returned_reason = models.CharField(max_length=200, blank=True)
    # What customers read, as HTML, as it was when it was published: of later edits only staff know.
    public_body = models.TextField(blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    # Rises with every change of a section: who approves says which words were read.
    version = models.PositiveIntegerField(default=1)

    objects = PostmortemQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("postmortem", "state", PostmortemState),
            models.CheckConstraint(
                name="postmortem_is_approved_once_it_says_so",
                condition=Q(
                    state__in=[PostmortemState.APPROVED, PostmortemState.PUBLISHED],
                    approved_at__isnull=False,
                )
                | Q(
                    state__in=[PostmortemState.DRAFT, PostmortemState.IN_REVIEW],
                    approved_at__isnull=True,
                ),
            ),
            models.CheckConstraint(
                name="postmortem_published_has_its_edition",
                condition=Q(published_at__isnull=False) & ~Q(public_body="")
                | Q(published_at__isnull=True, public_body="")
                & ~Q(state=PostmortemState.PUBLISHED),
            ),
        ]
        indexes = [GinIndex(words_of("document"), name="postmortem_words")]

    def __str__(self) -> str:
        return f"postmortem of {self.incident.ref}"


class PostmortemSectionQuerySet(models.QuerySet["PostmortemSection"]):
    def live(self) -> Self:
        """Those that nobody has taken out."""
        return self.filter(deleted_at__isnull=True)

    def in_order(self) -> Self:
        return self.order_by("position", "id")


class PostmortemSection(Worded):
    """One part of the account: Markdown, with references that are read from the record."""

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="sections")
    kind = models.CharField(max_length=12, choices=SectionKind, default=SectionKind.OTHER)
    title = models.CharField(max_length=140)
    position = models.FloatField()
    body = models.TextField(blank=True)
    # Whether customers read it once the postmortem is published.
    is_public = models.BooleanField(default=False)
    # Rises with every edit: who edits says which one was read, and overwrites nobody's.
    version = models.PositiveIntegerField(default=1)
    written_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    edited_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = PostmortemSectionQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("postmortemsection", "kind", SectionKind),
            models.CheckConstraint(name="postmortemsection_has_a_title", condition=~Q(title="")),
        ]
        indexes = [
            GinIndex(words_of("title", "body"), name="postmortemsection_words"),
        ]

    def __str__(self) -> str:
        return self.title
