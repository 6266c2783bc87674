"""The outbox: what is to be sent, to whom, and what became of it."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from notifications.places import masked
from notifications.tokens import TOKEN


class Channel(models.TextChoices):
    EMAIL = "email", _("Email")
    CHAT = "chat", _("Chat webhook")
    WEBHOOK = "webhook", _("Signed webhook")


class DeliveryState(models.TextChoices):
    QUEUED = "queued", _("Queued")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Failed")
    # Not sent on purpose: the recipient left, or is quarantined.
    SUPPRESSED = "suppressed", _("Suppressed")


class SigningKey(models.Model):
    """What a signed webhook's messages are signed with; its receiver has it, too.

    While a secret is exchanged messages carry a signature by each, until ``previous_until``.
    """

    secret = models.CharField(max_length=120)
    previous_secret = models.CharField(max_length=120, blank=True)
    previous_until = models.DateTimeField(null=True, blank=True)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="signingkey_has_a_secret", condition=~Q(secret="")),
            models.CheckConstraint(
                name="signingkey_previous_secret_ends",
                condition=Q(previous_secret="", previous_until__isnull=True)
                | (~Q(previous_secret="") & Q(previous_until__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"Key {self.pk}"

    def secrets(self, *, at: datetime) -> list[str]:
        """Return what messages are signed with at a moment, the newest first."""
        is_both = self.previous_until is not None and at < self.previous_until
        return [self.secret, self.previous_secret] if is_both else [self.secret]


class Message(models.Model):
    """What is said, to one recipient or to a hundred thousand: written once.

    Wherever `notifications.outbox.TOKEN` stands in it, each recipient gets its own token.
    """

    subject = models.CharField(max_length=200)
    body = models.TextField()
    # Of a mail; of a signed webhook its "type".
    headers = models.JSONField(default=dict)
    # What it tells of, in the words of whoever queued it: "notice-41". Several may share it.
    about = models.CharField(max_length=60, blank=True, db_index=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.subject


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def queued(self) -> Self:
        return self.filter(state=DeliveryState.QUEUED)


class Delivery(models.Model):
    """One message to one recipient. Written in the transaction that it tells of."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=8, choices=Channel)
    # A mailbox, or the address of a chat's incoming webhook or of a signed one.
    recipient = models.CharField(max_length=1000)
    # The recipient's own, where the message has a place for it.
    token = models.CharField(max_length=64, blank=True)
    # Of a signed webhook; None once its channel is gone.
    signing_key = models.ForeignKey(
        SigningKey, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    idempotency_key = models.CharField(max_length=200, unique=True)
    # One of many with the same words: what is for one recipient goes first.
    is_fan_out = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=DeliveryState, default=DeliveryState.QUEUED)
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
                fields=["channel", "is_fan_out", "next_attempt_at", "id"],
                condition=Q(state=DeliveryState.QUEUED),
            ),
            models.Index(
                name="delivery_queued_for",
                fields=["token"],
                condition=Q(state=DeliveryState.QUEUED) & ~Q(token=""),
            ),
            models.Index(name="delivery_by_recipient", fields=["recipient"]),
        ]

    def __str__(self) -> str:
        return f"{self.message.subject} to {self.shown_recipient}"

    def filled(self, text: str) -> str:
        """Return a text of the message with the recipient's own token in its place."""
        return text.replace(TOKEN, self.token)

    @property
    def shown_recipient(self) -> str:
        """The recipient as anybody at the desk may read it: a webhook's address is a secret."""
        return self.recipient if self.channel == Channel.EMAIL else masked(self.recipient)
