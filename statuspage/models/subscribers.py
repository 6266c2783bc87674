"""Who is told of what a page says, how, and which updates were announced."""

from typing import Self

from django.db import models
from django.db.models import F, Q, TextChoices
from django.utils.translation import gettext_lazy as _

from incidents.models import Component, Incident, MaintenanceUpdate, StatusUpdate
from incidents.models.fields import is_known, is_known_or_empty, new_public_id
from notifications.models import Channel, SigningKey
from notifications.places import masked
from statuspage.models.pages import Language, Page, new_token


class Pace(TextChoices):
    """How much of what is said reaches a subscriber."""

    EVERY = "every", _("Every update")
    MILESTONES = "milestones", _("Only when something begins, turns or ends")


class SubscriberState(TextChoices):
    """Whether somebody is told, and if not, why."""

    FOLLOWING = "following", _("Is told")
    WAITING = "waiting", _("Has not confirmed")
    LEFT = "left", _("Left")
    QUARANTINED = "quarantined", _("Messages came back")

    def condition(self) -> Q:
        """Return what is true of the rows in this state, and of no others."""
        left = Q(unsubscribed_at__isnull=False)
        waiting = Q(confirmed_at__isnull=True)
        away = Q(quarantined_at__isnull=False)
        return {
            SubscriberState.FOLLOWING: ~left & ~waiting & ~away,
            SubscriberState.WAITING: ~left & waiting,
            SubscriberState.LEFT: left,
            SubscriberState.QUARANTINED: ~left & ~waiting & away,
        }[self]


class SubscriberQuerySet(models.QuerySet["Subscriber"]):
    def following(self) -> Self:
        """Those who get messages."""
        return self.in_state(SubscriberState.FOLLOWING)

    def in_state(self, state: SubscriberState) -> Self:
        return self.filter(state.condition())


class Subscriber(models.Model):
    """Somebody, or a program, that is told what a page says.

    One without components hears of everything on the page; a group stands for all of its members.
    One with an incident hears of that alone.
    """

    public_id = models.CharField(max_length=12, unique=True, default=new_public_id, editable=False)
    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="subscribers")
    channel = models.CharField(max_length=8, choices=Channel, default=Channel.EMAIL)
    # The mailbox; of a webhook, who is written to when it fails, if anybody.
    email = models.EmailField(blank=True)
    # The address of a chat's incoming webhook, or of a signed one. It is a secret.
    endpoint = models.CharField(max_length=1000, blank=True)
    signing_key = models.ForeignKey(
        SigningKey, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    # Empty: that of the page.
    language = models.CharField(max_length=8, choices=Language, blank=True)
    components = models.ManyToManyField(Component, blank=True, related_name="+")
    incident = models.ForeignKey(
        Incident, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    pace = models.CharField(max_length=10, choices=Pace, default=Pace.EVERY)
    hears_of_maintenance = models.BooleanField(default=True)
    # The right to confirm, choose and leave: it stands in the messages.
    token = models.CharField(max_length=64, unique=True, default=new_token, editable=False)
    created_at = models.DateTimeField()
    asked_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    unsubscribed_at = models.DateTimeField(null=True, blank=True)
    # Its messages came back, one after the other; it is told nothing until somebody looks.
    quarantined_at = models.DateTimeField(null=True, blank=True)
    quarantine_reason = models.CharField(max_length=300, blank=True)

    objects = SubscriberQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("subscriber", "channel", Channel),
            is_known("subscriber", "pace", Pace),
            is_known_or_empty("subscriber", "language", Language),
            *(
                models.UniqueConstraint(
                    name=f"subscriber_{field}_follows_{what}_once",
                    fields=["page", "channel", field, *more],
                    condition=condition & Q(incident__isnull=not more),
                )
                for field, condition in [
                    ("email", Q(channel=Channel.EMAIL)),
                    ("endpoint", ~Q(channel=Channel.EMAIL)),
                ]
                for what, more in [("a_page", []), ("an_incident", ["incident"])]
            ),
            models.CheckConstraint(
                name="subscriber_can_be_reached",
                condition=(Q(channel=Channel.EMAIL, endpoint="") & ~Q(email=""))
                | (~Q(channel=Channel.EMAIL) & ~Q(endpoint="")),
            ),
            models.CheckConstraint(
                name="subscriber_is_confirmed_after_it_was_made",
                condition=Q(confirmed_at__isnull=True) | Q(confirmed_at__gte=F("created_at")),
            ),
            models.CheckConstraint(
                name="subscriber_says_why_it_is_quarantined",
                condition=Q(quarantined_at__isnull=True, quarantine_reason="")
                | (Q(quarantined_at__isnull=False) & ~Q(quarantine_reason="")),
            ),
        ]
        indexes = [
            models.Index(name="subscriber_fan_out", fields=["page", "id"]),
            models.Index(name="subscriber_by_email", fields=["email"]),
        ]

    def __str__(self) -> str:
        return self.email if self.channel == Channel.EMAIL else masked(self.endpoint)

    @property
    def state(self) -> SubscriberState:
        if self.unsubscribed_at:
            return SubscriberState.LEFT
        if not self.confirmed_at:
            return SubscriberState.WAITING
        return SubscriberState.QUARANTINED if self.quarantined_at else SubscriberState.FOLLOWING


class Asking(models.Model):
    """That a visitor asked for messages: so that nobody makes us write to a thousand mailboxes.

    ``visitor`` is a keyed digest of the network address. Rows go after an hour.
    """

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="+")
    visitor = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(name="asking_of_visitor", fields=["visitor", "at"]),
            models.Index(name="asking_of_page", fields=["page", "at"]),
        ]

    def __str__(self) -> str:
        return f"{self.page_id}: {self.at}"


class Announcement(models.Model):
    """The followers of every page have been told of this update, or there were none. Once."""

    update = models.OneToOneField(
        StatusUpdate, null=True, blank=True, on_delete=models.CASCADE, related_name="announcement"
    )
    maintenance_update = models.OneToOneField(
        MaintenanceUpdate,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="announcement",
    )
    announced_at = models.DateTimeField()
    recipients = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="announcement_is_of_one_update",
                condition=Q(update__isnull=False, maintenance_update__isnull=True)
                | Q(update__isnull=True, maintenance_update__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.update_id or self.maintenance_update_id}: {self.recipients}"
