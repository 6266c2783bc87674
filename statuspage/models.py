"""The page itself, who follows it, and which updates its followers have been told of."""

import secrets
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q

from incidents.models import StatusUpdate
from incidents.models.fields import new_public_id

# There is one page. Its row has this key, and a constraint keeps others out.
_THE_PAGE = 1


class PageQuerySet(models.QuerySet["Page"]):
    def the_one(self, *, at: datetime) -> "Page":
        """Return the page; an installation that has not named it yet gets a plain one."""
        page, _created = self.get_or_create(
            pk=_THE_PAGE, defaults={"created_at": at, "updated_at": at}
        )
        return page


class Page(models.Model):
    """The public status page: its name, its address and the zone in which it tells the time."""

    public_id = models.CharField(max_length=12, unique=True, default=new_public_id, editable=False)
    name = models.CharField(max_length=140, default="Highwater")
    # Without a trailing slash.
    url = models.URLField(max_length=500, default="http://localhost:8000")
    time_zone = models.CharField(max_length=64, default="Etc/UTC")
    support_url = models.URLField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = PageQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(name="page_is_the_only_one", condition=Q(pk=_THE_PAGE)),
            models.CheckConstraint(
                name="page_url_ends_without_slash", condition=~Q(url__endswith="/")
            ),
        ]

    def __str__(self) -> str:
        return self.name


def new_token() -> str:
    """Return what nobody can guess, for addresses that need no login."""
    return secrets.token_urlsafe(24)


class SubscriberQuerySet(models.QuerySet["Subscriber"]):
    def following(self) -> Self:
        """Those who get messages."""
        return self.filter(confirmed_at__isnull=False, unsubscribed_at__isnull=True)


class Subscriber(models.Model):
    """Somebody who wants each update as a message."""

    email = models.EmailField(unique=True)
    token = models.CharField(max_length=64, unique=True, default=new_token, editable=False)
    created_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    unsubscribed_at = models.DateTimeField(null=True, blank=True)

    objects = SubscriberQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="subscriber_is_confirmed_after_it_was_made",
                condition=Q(confirmed_at__isnull=True) | Q(confirmed_at__gte=F("created_at")),
            ),
        ]

    def __str__(self) -> str:
        return self.email


class Announcement(models.Model):
    """Followers have been told of this update, or there were none. One row an update, once."""

    update = models.OneToOneField(
        StatusUpdate, on_delete=models.CASCADE, related_name="announcement"
    )
    announced_at = models.DateTimeField()
    recipients = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.update_id}: {self.recipients}"
