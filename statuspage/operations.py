"""Deeds on the pages."""

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from incidents.errors import Refused
from incidents.values import zone
from statuspage import publisher
from statuspage.documents.colours import READABLE, least_contrast, readable
from statuspage.models import Access, Language, Page, new_token
from statuspage.pictures import as_icon, as_logo
from statuspage.serving.gate import as_network, hash_password

_COLOUR = re.compile(r"#[0-9a-f]{6}")


class NoSuchZone(Refused):
    code = "no-such-zone"
    message = _("There is no such time zone. Give an IANA name such as Europe/Berlin.")


class NotAHost(Refused):
    code = "not-a-host"
    message = _(
        "A page lies at the root of a host. Give an address such as https://status.example."
    )


class HostTaken(Refused):
    code = "host-taken"
    message = _("Another page lies at this host. Give each page a host of its own.")


class SlugTaken(Refused):
    code = "slug-taken"
    message = _("Another page has this short name. Choose another one.")


class NoColour(Refused):
    code = "no-colour"
    message = _("A colour is written as # and six digits of 0-9 and a-f: #0a5ca0.")


class UnreadableColour(Refused):
    code = "unreadable-colour"
    message = _("Links in this colour could not be read. Choose a darker one.")


class NoPassword(Refused):
    code = "no-password"
    message = _("A page with a password needs one of at least 8 characters. Give one.")


class NoNetworks(Refused):
    code = "no-networks"
    message = _("Give at least one network, such as 10.0.0.0/8 or 203.0.113.7.")


class PageHasTargets(Refused):
    code = "page-has-targets"
    message = _("This page is copied to other places, where nobody guards it. Remove these first.")


class LastPage(Refused):
    code = "last-page"
    message = _("This is the only page. Add another one before you remove it.")


_PASSWORD_LENGTH = 8


def set_up_page(
    *,
    name: str,
    url: str,
    at: datetime,
    time_zone: str = "Etc/UTC",
    support_url: str = "",
    language: str = Language.ENGLISH,
    page_id: int | None = None,
) -> Page:
    """Name a page, say where it lies and how it speaks; publish it anew. By default the first one.

    :raises NoSuchZone: if the zone is unknown
    :raises NotAHost: if the address has a path, or no host
    :raises HostTaken: if another page lies there
    :raises SiteBusy: if it is kept, but cannot be published now
    """
    try:
        zone(time_zone)
    except ValueError as fault:
        raise NoSuchZone from fault
    with transaction.atomic():
        page = _locked(page_id, at=at)
        page.url = _own_address(url, page)
        page.name, page.time_zone, page.language = name, time_zone, language
        page.support_url = support_url
        _keep(page, ["name", "url", "time_zone", "language", "support_url"], at=at)
    return page


def add_page(*, slug: str, name: str, url: str, at: datetime) -> Page:
    """Add a page, which shows everything to everybody until it is told otherwise.

    :raises SlugTaken: if another page has this short name
    :raises NotAHost: if the address has a path, or no host
    :raises HostTaken: if another page lies there
    :raises SiteBusy: if it is kept, but cannot be published now
    """
    with transaction.atomic():
        first = _locked(None, at=at)
        if Page.objects.filter(slug=slug).exists():
            raise SlugTaken
        page = Page(slug=slug, name=name, time_zone=first.time_zone, language=first.language)
        page.url = _own_address(url, page)
        page.created_at = page.updated_at = at
        page.save(force_insert=True)
        _publish_after(page)
    return page


def choose_content(
    *,
    page_id: int,
    shows_everything: bool,
    component_ids: Collection[int],
    has_my_data: bool,
    has_backup_proof: bool,
    at: datetime,
) -> Page:
    """Say what a page shows: everything, or these components and what touches them.

    :raises SiteBusy: if it is kept, but cannot be published now
    """
    with transaction.atomic():
        page = _locked(page_id, at=at)
        page.shows_everything = shows_everything
        page.has_my_data, page.has_backup_proof = has_my_data, has_backup_proof
        page.components.set([] if shows_everything else component_ids)
        _keep(page, ["shows_everything", "has_my_data", "has_backup_proof"], at=at)
    return page


def dress_page(
    *,
    page_id: int,
    accent: str,
    at: datetime,
    logo: bytes | None = None,
    icon: bytes | None = None,
) -> Page:
    """Give a page its colour ("" for that of the house), its logo and its icon.

    A picture of None stays as it is; an empty one is taken away.

    :raises NoColour: if the colour is written otherwise than #0a5ca0
    :raises UnreadableColour: if text in this colour could not be read; names the nearest that can
    :raises BadPicture: if an upload is no picture that can be shown
    :raises SiteBusy: if it is kept, but cannot be published now
    """
    accent = accent.strip().lower()
    if accent:
        _refuse_unreadable(accent)
    made_logo = as_logo(logo) if logo else None
    made_icon = as_icon(icon) if icon else None
    with transaction.atomic():
        page = _locked(page_id, at=at)
        page.accent = accent
        if logo is not None:
            page.logo = made_logo
        if icon is not None:
            page.icon = made_icon
        _keep(page, ["accent", "logo", "icon"], at=at)
    return page


def set_access(
    *,
    page_id: int,
    access: Access,
    at: datetime,
    password: str = "",
    networks: Collection[str] = (),
    viewer_ids: Collection[int] = (),
) -> Page:
    """Say who may read a page. Whoever was let in by what stood before is asked again.

    An empty password keeps the one that is set.

    :raises NoPassword: if a page with a password would have none, or a short one
    :raises NoNetworks: if there is no network, or what is named is none
    :raises PageHasTargets: if it is copied elsewhere and shall be private
    :raises SiteBusy: if it is kept, but cannot be published now
    """
    try:
        named = [str(as_network(text)) for text in networks]
    except ValueError as fault:
        raise NoNetworks from fault
    with transaction.atomic():
        page = _locked(page_id, at=at)
        if access != Access.PUBLIC and page.targets.exists():
            raise PageHasTargets
        if access == Access.PASSWORD:
            if len(password) < (_PASSWORD_LENGTH if password or not page.password_hash else 0):
                raise NoPassword
            page.password_hash = hash_password(password) if password else page.password_hash
        else:
            page.password_hash = ""
        if access == Access.NETWORKS and not named:
            raise NoNetworks
        page.access = access
        page.networks = named if access == Access.NETWORKS else []
        page.viewers.set(viewer_ids if access == Access.VIEWERS else [])
        page.ticket_key, page.feed_key = new_token(), new_token()
        _keep(page, ["access", "password_hash", "networks", "ticket_key", "feed_key"], at=at)
    return page


def remove_page(*, page_id: int) -> None:
    """Take a page away for good, with its followers and all that is published of it.

    The components and incidents that it showed stay.

    :raises LastPage: if there is no other
    """
    with transaction.atomic():
        pages = list(Page.objects.select_for_update().in_order())
        if len(pages) == 1:
            raise LastPage
        next(page for page in pages if page.pk == page_id).delete()
        transaction.on_commit(publisher.forget_removed)


def _locked(page_id: int | None, *, at: datetime) -> Page:
    wanted = page_id or Page.objects.first_page(at=at).pk
    return Page.objects.select_for_update().get(pk=wanted)


def _keep(page: Page, names: list[str], *, at: datetime) -> None:
    # Strictly later: what is made of the row is kept by this time.
    page.updated_at = max(at, page.updated_at + timedelta(microseconds=1))
    page.save(update_fields=[*names, "updated_at"])
    _publish_after(page)


def _publish_after(page: Page) -> None:
    # Not robust: whoever sets up the page is told that it could not be written just now.
    transaction.on_commit(partial(publisher.publish_page, page.pk))


def _own_address(url: str, page: Page) -> str:
    try:
        parts = urlsplit(url)
        # A port that is no number shows only when it is asked for.
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError as fault:
        raise NotAHost from fault
    if parts.scheme not in ("http", "https") or not has_host or parts.path.strip("/"):
        raise NotAHost
    if parts.query or parts.fragment or parts.username:
        raise NotAHost
    page.url = url.rstrip("/")
    hosts = set(publisher.hosts_of(page))
    if any(hosts & set(publisher.hosts_of(other)) for other in Page.objects.exclude(pk=page.pk)):
        raise HostTaken
    return page.url


def _refuse_unreadable(accent: str) -> None:
    if not _COLOUR.fullmatch(accent):
        raise NoColour
    found = least_contrast(accent)
    if found < READABLE:
        raise UnreadableColour(
            _(
                "Links in this colour could not be read: its contrast is %(found).1f to 1, and "
                "4.5 to 1 is the least. The nearest colour that can be read is %(nearest)s."
            )
            % {"found": found, "nearest": readable(accent)}
        )
