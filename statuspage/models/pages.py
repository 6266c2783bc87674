"""The pages: name and address, what they show, how they look, who may read them."""

import secrets
from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q, TextChoices
from django.utils.translation import gettext_lazy as _

from incidents.models import Component
from incidents.models.fields import is_known, new_public_id

# The page of an installation that has not named one yet.
FIRST_PAGE = "main"


def new_token() -> str:
    """Return what nobody can guess, for addresses that need no login."""
    return secrets.token_urlsafe(24)


class Language(TextChoices):
    """The languages in which a page can be read."""

    ENGLISH = "en", "English"
    DUTCH = "nl", "Nederlands"
    GERMAN = "de", "Deutsch"
    FRENCH = "fr", "Français"


class Access(TextChoices):
    """Who may read a page."""

    PUBLIC = "public", _("Everybody")
    PASSWORD = "password", _("Those who know the password")
    NETWORKS = "networks", _("Those who come from these networks")
    VIEWERS = "viewers", _("Those who sign in")


class PageQuerySet(models.QuerySet["Page"]):
    def in_order(self) -> Self:
        """Return the pages, the first one first: it also answers for hosts that are no page's."""
        return self.order_by("pk")

    def first_page(self, *, at: datetime) -> "Page":
        """Return the first page; an installation that has none yet gets a plain one."""
        return (
            self.in_order().first()
            or self.get_or_create(slug=FIRST_PAGE, defaults={"created_at": at, "updated_at": at})[0]
        )

    def called(self, slug: str, *, at: datetime) -> "Page":
        """Return the page with this short name.

        :raises Page.DoesNotExist: if there is none
        """
        first = self.first_page(at=at)
        return first if first.slug == slug else self.get(slug=slug)


class Page(models.Model):
    """A status page: its name and address, what it shows, how it looks, and who may read it."""

    public_id = models.CharField(max_length=12, unique=True, default=new_public_id, editable=False)
    # The name of its folder in PUBLIC_ROOT/pages; it never changes.
    slug = models.SlugField(max_length=40, unique=True, default=FIRST_PAGE)
    name = models.CharField(max_length=140, default="Highwater")
    # Without a trailing slash. Its host is how visitors choose the page.
    url = models.URLField(max_length=500, default="http://localhost:8000")
    time_zone = models.CharField(max_length=64, default="Etc/UTC")
    language = models.CharField(max_length=8, choices=Language, default=Language.ENGLISH)
    support_url = models.URLField(max_length=500, blank=True)

    # Either everything that is public, or these components and the incidents that touch them.
    shows_everything = models.BooleanField(default=True)
    components = models.ManyToManyField(Component, blank=True, related_name="+")
    has_my_data = models.BooleanField(default=True)
    has_backup_proof = models.BooleanField(default=True)

    # "#0a5ca0", or empty for that of the house.
    accent = models.CharField(max_length=7, blank=True)
    # PNG, made anew from what was uploaded. Deferred: most reads do not want them.
    logo = models.BinaryField(null=True, blank=True)
    icon = models.BinaryField(null=True, blank=True)

    access = models.CharField(max_length=8, choices=Access, default=Access.PUBLIC)
    # As statuspage.serving.gate writes it.
    password_hash = models.CharField(max_length=300, blank=True)
    # As text: "10.0.0.0/8".
    networks = models.JSONField(default=list, blank=True)
    viewers = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="+")
    # Signs the tickets of those who were let in; a new one sends all of them back to the gate.
    ticket_key = models.CharField(max_length=64, default=new_token, editable=False)
    # What feed readers and programs give in an address instead of a ticket.
    feed_key = models.CharField(max_length=64, default=new_token, editable=False)

    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = PageQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("page", "language", Language),
            is_known("page", "access", Access),
            models.CheckConstraint(
                name="page_url_ends_without_slash", condition=~Q(url__endswith="/")
            ),
            models.UniqueConstraint(name="page_has_its_own_url", fields=["url"]),
            models.CheckConstraint(
                name="page_accent_is_a_colour",
                condition=Q(accent="") | Q(accent__regex=r"^#[0-9a-f]{6}$"),
            ),
            models.CheckConstraint(
                name="page_with_password_has_one",
                condition=~Q(access=Access.PASSWORD) | ~Q(password_hash=""),
            ),
            models.CheckConstraint(
                name="page_for_networks_has_some",
                condition=~Q(access=Access.NETWORKS) | ~Q(networks=[]),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_private(self) -> bool:
        return self.access != Access.PUBLIC
