"""People, and the keys of their programs."""

from datetime import datetime
from typing import Self

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q


class User(AbstractUser):
    """Somebody who signs in to the desk."""

    def label(self) -> str:
        """Return the name that the record shows for this person."""
        return self.get_full_name() or self.username


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def good(self, *, at: datetime) -> Self:
        """Those that let a program in at this moment."""
        return self.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=at),
            revoked_at__isnull=True,
            user__is_active=True,
            user__is_staff=True,
        )


class ApiToken(models.Model):
    """The key of a program: what it does is done in its user's name.

    The key itself is shown once and kept nowhere; it is random, so a plain hash gives nothing away.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    # The first characters of the key, by which people tell one from another.
    begins_with = models.CharField(max_length=12, editable=False)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    # When all that was asked with it so far would be done at an even pace: see `accounts.tokens`.
    paced_until = models.DateTimeField()

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(name="apitoken_has_a_name", condition=~Q(name="")),
        ]

    def __str__(self) -> str:
        return self.name
