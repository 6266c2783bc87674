"""Where staff are told of what wants them."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from incidents.models.fields import is_known
from incidents.models.incident import Incident
from incidents.values import NoticeKind, Severity
from notifications.models import Channel, SigningKey
from notifications.places import masked


def every_kind() -> list[str]:
    return list(NoticeKind.values)


class NoticeChannel(models.Model):
    """An address of the team: a mailbox or a room of its chat, and what is told there."""

    name = models.CharField(max_length=60, unique=True)
    channel = models.CharField(max_length=8, choices=Channel)
    # A mailbox, or the address of an incoming webhook. The latter is a secret: never shown whole.
    address = models.CharField(max_length=1000)
    # Of a signed webhook.
    signing_key = models.OneToOneField(
        SigningKey, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    kinds = ArrayField(models.CharField(max_length=16, choices=NoticeKind), default=every_kind)
    # The mildest severity of which it hears.
    least_severity = models.CharField(max_length=8, choices=Severity, default=Severity.SEV4)
    is_enabled = models.BooleanField(default=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            is_known("noticechannel", "channel", Channel),
            is_known("noticechannel", "least_severity", Severity),
            models.CheckConstraint(name="noticechannel_has_an_address", condition=~Q(address="")),
            models.CheckConstraint(
                name="noticechannel_signs_iff_it_is_a_signed_webhook",
                condition=Q(channel=Channel.WEBHOOK, signing_key__isnull=False)
                | (~Q(channel=Channel.WEBHOOK) & Q(signing_key__isnull=True)),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def shown_address(self) -> str:
        """The address as anybody at the desk may read it."""
        return self.address if self.channel == Channel.EMAIL else masked(self.address)

    @property
    def heard(self) -> str:
        """What it hears, in words."""
        kinds = [kind for kind in NoticeKind if kind in self.kinds]
        if len(kinds) == len(NoticeKind):
            return "Hears everything"
        return "Hears: " + "; ".join(str(kind.label).lower() for kind in kinds)


class Notice(models.Model):
    """A fact that staff are told of: once, whoever notices it how often.

    Its messages are in the outbox, about ``notice-`` and its number.
    """

    # What tells the fact from others: "update_due:41".
    key = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=16, choices=NoticeKind)
    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="notices")
    subject = models.CharField(max_length=200)
    told_at = models.DateTimeField()
    # How many were told. Nobody, where nobody concerned has an address and no channel hears of it.
    recipients = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [is_known("notice", "kind", NoticeKind)]
        indexes = [models.Index(name="notice_newest", fields=["-told_at", "-id"])]

    def __str__(self) -> str:
        return self.subject

    @property
    def about(self) -> str:
        """By what the outbox knows its messages."""
        return f"notice-{self.pk}"
