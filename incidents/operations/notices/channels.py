"""Deeds on the places where staff are told: a mailbox, or a room of their chat."""

from collections.abc import Collection
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import NoticeChannel
from incidents.values import NoticeKind, Severity
from notifications import guarded, outbox
from notifications.errors import Undelivered
from notifications.models import Channel, SigningKey
from notifications.webhook import new_secret


class ChannelNameTaken(Refused):
    code = "channel-name-taken"
    message = _("Another channel has this name. Take a different one.")


class UnfitAddress(Refused):
    code = "unfit-address"
    message = _("This is no address to post to. Copy it from the settings of your chat.")


class NothingArrived(Refused):
    code = "nothing-arrived"
    message = _("The message did not arrive. Look at the address.")


def add_notice_channel(
    *,
    name: str,
    channel: Channel,
    address: str,
    kinds: Collection[NoticeKind],
    least_severity: Severity,
    at: datetime,
    author: User | None,
) -> NoticeChannel:
    """Tell a mailbox or a room from now on. A signed webhook is given a key, once.

    :raises ChannelNameTaken: if another goes by this name
    :raises UnfitAddress: if a webhook's address can never be posted to
    """
    row = NoticeChannel(channel=channel, created_by=author, created_at=at)
    with transaction.atomic():
        if channel == Channel.WEBHOOK:
            row.signing_key = SigningKey.objects.create(secret=new_secret(), made_at=at)
        return _write(row, name, address, kinds, least_severity)


def renew_signing_key(*, channel_id: int, at: datetime) -> NoticeChannel:
    """Sign a webhook's messages with another key from now on, those that are queued as well."""
    with transaction.atomic():
        row = NoticeChannel.objects.select_related("signing_key").get(pk=channel_id)
        if row.signing_key is not None:
            row.signing_key.secret, row.signing_key.made_at = new_secret(), at
            row.signing_key.save(update_fields=["secret", "made_at"])
    return row


def edit_notice_channel(
    *,
    channel_id: int,
    name: str,
    kinds: Collection[NoticeKind],
    least_severity: Severity,
    is_enabled: bool,
    address: str = "",
) -> NoticeChannel:
    """Change what a channel hears. Without an ``address``, it keeps its own.

    :raises ChannelNameTaken: if another goes by this name
    :raises UnfitAddress: if a webhook's address can never be posted to
    """
    with transaction.atomic():
        row = NoticeChannel.objects.select_for_update().get(pk=channel_id)
        row.is_enabled = is_enabled
        return _write(row, name, address or row.address, kinds, least_severity)


def remove_notice_channel(*, channel_id: int) -> None:
    """Tell it nothing any more. What is queued for it still goes out, but to a signed webhook."""
    with transaction.atomic():
        keys = list(
            NoticeChannel.objects.filter(pk=channel_id).values_list("signing_key", flat=True)
        )
        NoticeChannel.objects.filter(pk=channel_id).delete()
        SigningKey.objects.filter(pk__in=filter(None, keys)).delete()


def try_notice_channel(*, channel_id: int, desk_url: str, author: User, at: datetime) -> None:
    """Send a test message now, and return if it arrived.

    :raises NothingArrived: if it did not, with the reason
    """
    row = NoticeChannel.objects.get(pk=channel_id)
    try:
        outbox.try_out(
            channel=Channel(row.channel),
            recipient=row.address,
            signing_key_id=row.signing_key_id,
            at=at,
            subject="A test from Highwater",
            body=f"{author.label()} tries out the channel “{row.name}”. "
            f"If you read this, it works.\n\n{desk_url}\n",
        )
    except Undelivered as fault:
        raise NothingArrived(str(fault)) from fault


def _write(
    row: NoticeChannel,
    name: str,
    address: str,
    kinds: Collection[NoticeKind],
    least_severity: Severity,
) -> NoticeChannel:
    if row.channel != Channel.EMAIL:
        try:
            guarded.refuse_unfit(address)
        except Undelivered as fault:
            raise UnfitAddress(str(fault)) from fault
    row.name, row.address = name, address
    row.kinds, row.least_severity = [str(kind) for kind in kinds], least_severity
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as fault:
        if "name" not in str(fault):
            raise
        raise ChannelNameTaken from fault
    return row
