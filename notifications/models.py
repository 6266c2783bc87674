"""The outbox: what is to be sent, to whom, and what became of it."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from notifications.places import masked


class Channel(models.TextChoices):
    EMAIL = "email", _("Email")
    CHAT = "chat", _("Chat webhook")
    WEBHOOK = "webhook", _("Signed webhook")


class DeliveryState(models.TextChoices):
    QUEUED = "queued", _("Queued")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Failed")


class SigningKey(models.Model):
    """What a signed webhook's messages are signed with; its receiver has it, too."""

    secret = models.CharField(max_length=120)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="signingkey_has_a_secret", condition=~Q(secret="")),
        ]

    def __str__(self) -> str:
        return f"Key {self.pk}"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def queued(self) -> Self:
        return self.filter(state=DeliveryState.QUEUED)


class Delivery(models.Model):
    """One message to one recipient. Written in the transaction that it tells of."""

    channel = models.CharField(max_length=8, choices=Channel)
    # A mailbox, or the address of a chat's incoming webhook.
    recipient = models.CharField(max_length=1000)
    subject = models.CharField(max_length=200)
    body = models.TextField()
    headers = models.JSONField(default=dict)
    # Of a signed webhook; None once its channel is gone.
    signing_key = models.ForeignKey(
        SigningKey, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    idempotency_key = models.CharField(max_length=200, unique=True)
    # What it tells of, in the words of whoever queued it: "notice-41". Several may share it.
    about = models.CharField(max_length=60, blank=True, db_index=True)
    state = models.CharField(max_length=8, choices=DeliveryState, default=DeliveryState.QUEUED)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    last_error = models.TextField(blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.CheckConstraint(
                name="delivery_channel_is_known", condition=Q(channel__in=Channel.values)
            ),
            models.CheckConstraint(
                name="delivery_state_is_known", condition=Q(state__in=DeliveryState.values)
            ),
            models.CheckConstraint(
                name="delivery_sent_at_iff_sent",
                condition=Q(state=DeliveryState.SENT, sent_at__isnull=False)
                | (~Q(state=DeliveryState.SENT) & Q(sent_at__isnull=True)),
            ),
        ]
        indexes = [
            models.Index(
                name="delivery_due",
                fields=["channel", "next_attempt_at"],
                condition=Q(state=DeliveryState.QUEUED),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} to {self.shown_recipient}"

    @property
    def shown_recipient(self) -> str:
        """The recipient as anybody at the desk may read it: a webhook's address is a secret."""
        return self.recipient if self.channel == Channel.EMAIL else masked(self.recipient)
