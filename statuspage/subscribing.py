"""Deeds of those who want to be told what a page says, and of staff for them."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from incidents.errors import Refused
from notifications import guarded, outbox
from notifications.errors import Undelivered
from notifications.models import Channel, Delivery, SigningKey
from notifications.webhook import new_secret
from statuspage.documents.confirmations import confirmation, reminder
from statuspage.models import Asking, Pace, Page, Subscriber
from statuspage.models.subscribers import SubscriberState

# A mailbox is not asked more often, whoever types it in.
ASK_AGAIN_AFTER = timedelta(minutes=10)
# How long somebody has to confirm before the address is forgotten.
CONFIRM_WITHIN = timedelta(days=7)
# How long messages are signed with both secrets after a new one was made.
BOTH_SECRETS_FOR = timedelta(days=1)
# How much may be asked within ``ASKING_WINDOW``: by one visitor, and on one page.
ASKING_WINDOW = timedelta(minutes=10)
MOST_OF_A_VISITOR = 10
MOST_ON_A_PAGE = 1000


class NoAddressToPostTo(Refused):
    code = "no-address-to-post-to"
    message = _("This address cannot be posted to. Give one that begins with https://.")


class NoMailbox(Refused):
    code = "no-mailbox"
    message = _("Give an email address, so that we can ask you to confirm.")


class TooMuchAsked(Refused):
    code = "too-much-asked"
    message = _("Too many people ask for messages just now. Try again in a few minutes.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to be told, and where.

    Without components: everything on the page. With an incident: that alone.
    """

    channel: Channel = Channel.EMAIL
    email: str = ""
    endpoint: str = ""
    language: str = ""
    component_ids: Collection[int] = field(default_factory=tuple)
    incident_id: int | None = None
    pace: Pace = Pace.EVERY
    hears_of_maintenance: bool = True


def count_asking(*, page_id: int, visitor: str, at: datetime) -> None:
    """Take note that a visitor asks; ``visitor`` is a digest, the same for the same address.

    :raises TooMuchAsked: if this visitor, or all of a page, asked too often of late
    """
    recent = Asking.objects.filter(at__gt=at - ASKING_WINDOW)
    if (
        recent.filter(visitor=visitor).count() >= MOST_OF_A_VISITOR
        or recent.filter(page_id=page_id).count() >= MOST_ON_A_PAGE
    ):
        raise TooMuchAsked
    Asking.objects.create(page_id=page_id, visitor=visitor, at=at)


def ask_to_follow(*, page_id: int, wish: Wish, at: datetime) -> None:
    """Ask whoever owns the mailbox to confirm; nothing is told to anybody before that.

    The answer is the same whoever follows already: who does gets a mail that says so, at most one
    in ``ASK_AGAIN_AFTER``.

    :raises NoMailbox: if there is no mailbox to ask
    :raises NoAddressToPostTo: if the address of a webhook is none that may be called
    """
    if not wish.email:
        raise NoMailbox
    with transaction.atomic():
        subscriber = _kept(page_id, wish, at=at)
        # Whom staff took in without a mailbox nobody else can ask.
        was_asked = subscriber.asked_at and at - subscriber.asked_at < ASK_AGAIN_AFTER
        if was_asked or not subscriber.email:
            return
        subscriber.asked_at = at
        subscriber.save(update_fields=["asked_at"])
        follows = subscriber.confirmed_at and not subscriber.unsubscribed_at
        letter = (reminder if follows else confirmation)(subscriber)
        outbox.enqueue(
            channel=Channel.EMAIL,
            recipient=subscriber.email,
            subject=letter.subject,
            body=letter.body,
            idempotency_key=f"asked-{subscriber.pk}-{at.isoformat()}",
            at=at,
        )


def add_subscriber(*, wish: Wish, at: datetime, page_id: int | None = None) -> Subscriber:
    """Add a follower whom staff vouch for; of the first page, unless told of which.

    One who had left, waits to confirm, or is quarantined, is told again from now on.

    :raises NoAddressToPostTo: if the address of a webhook is none that may be called
    """
    with transaction.atomic():
        page_id = page_id or Page.objects.first_page(at=at).pk
        subscriber = _kept(page_id, wish, at=at)
        _begin_telling(subscriber, at=at)
    return subscriber


def confirm(*, token: str, at: datetime) -> bool:
    """Take in whoever has this token. Whether there is somebody; again changes nothing."""
    with transaction.atomic():
        subscriber = Subscriber.objects.select_for_update().filter(token=token).first()
        if subscriber is None:
            return False
        if subscriber.state != SubscriberState.FOLLOWING:
            _begin_telling(subscriber, at=at)
    return True


def choose(
    *,
    token: str,
    component_ids: Collection[int],
    pace: Pace,
    language: str,
    hears_of_maintenance: bool,
) -> bool:
    """Change what somebody is told. Whether there is somebody with this token."""
    with transaction.atomic():
        subscriber = Subscriber.objects.select_for_update().filter(token=token).first()
        if subscriber is None:
            return False
        subscriber.pace, subscriber.language = pace, language
        subscriber.hears_of_maintenance = hears_of_maintenance
        subscriber.save(update_fields=["pace", "language", "hears_of_maintenance"])
        subscriber.components.set(component_ids)
    return True


def unsubscribe(*, token: str, at: datetime) -> bool:
    """End a following; what waits to be sent stays here. Whether there was one, however often."""
    with transaction.atomic():
        found = Subscriber.objects.filter(token=token)
        found.filter(unsubscribed_at__isnull=True).update(unsubscribed_at=at)
        outbox.suppress([token])
        return found.exists()


def quarantine(*, token: str, reason: str, at: datetime) -> None:
    """Tell somebody nothing more whose messages come back, until staff or they look."""
    with transaction.atomic():
        Subscriber.objects.filter(token=token, quarantined_at__isnull=True).update(
            quarantined_at=at, quarantine_reason=reason[:300] or "Messages came back."
        )
        outbox.suppress([token])


def renew_secret(*, token: str, at: datetime) -> SigningKey:
    """Give a webhook a new secret; messages are signed with both for ``BOTH_SECRETS_FOR``.

    :raises Subscriber.DoesNotExist: if no webhook has this token
    """
    with transaction.atomic():
        subscriber = Subscriber.objects.select_related("signing_key").get(
            token=token, channel=Channel.WEBHOOK
        )
        assert subscriber.signing_key is not None
        key = SigningKey.objects.select_for_update().get(pk=subscriber.signing_key.pk)
        key.previous_secret, key.previous_until = key.secret, at + BOTH_SECRETS_FOR
        key.secret, key.made_at = new_secret(), at
        key.save()
    return key


def data_of(email: str) -> dict[str, Any]:
    """Return all that is kept of whoever has this mailbox, as JSON can hold it."""
    email = _plain(email)
    rows = Subscriber.objects.filter(email=email).select_related("page", "incident")
    sent = Delivery.objects.filter(recipient=email).select_related("message").order_by("pk")
    return {
        "email": email,
        "subscriptions": [
            {
                "page": row.page.name,
                "channel": row.channel,
                "endpoint": row.endpoint,
                "language": row.language,
                "components": [part.name for part in row.components.all()],
                "incident": row.incident.public_id if row.incident else None,
                "pace": row.pace,
                "hears_of_maintenance": row.hears_of_maintenance,
                **{
                    name: moment.isoformat() if (moment := getattr(row, name)) else None
                    for name in _MOMENTS
                },
            }
            for row in rows.prefetch_related("components")
        ],
        "messages": [
            {
                "subject": delivery.message.subject,
                "state": delivery.state,
                "at": (delivery.sent_at or delivery.created_at).isoformat(),
            }
            for delivery in sent
        ],
    }


_MOMENTS = ("created_at", "confirmed_at", "unsubscribed_at", "quarantined_at")


def erase(email: str) -> int:
    """Forget whoever has this mailbox, and what was sent to it. Return how many subscriptions."""
    email = _plain(email)
    with transaction.atomic():
        found = list(Subscriber.objects.select_for_update().filter(email=email))
        recipients = {email, *(row.endpoint for row in found if row.endpoint)}
        tokens = {row.token for row in found}
        Delivery.objects.filter(recipient__in=recipients).filter(
            Q(recipient=email) | Q(token__in=tokens)
        ).delete()
        Subscriber.objects.filter(pk__in=[row.pk for row in found]).delete()
        SigningKey.objects.filter(pk__in=[row.signing_key_id for row in found]).delete()
    return len(found)


def forget_unconfirmed(*, at: datetime) -> int:
    """Forget addresses that nobody confirmed in time, and who asked. Return how many addresses."""
    Asking.objects.filter(at__lte=at - ASKING_WINDOW).delete()
    late = Subscriber.objects.filter(
        confirmed_at__isnull=True,
        created_at__lte=at - CONFIRM_WITHIN,
        asked_at__lte=at - CONFIRM_WITHIN,
    )
    count, _details = late.delete()
    return count


def _kept(page_id: int, wish: Wish, *, at: datetime) -> Subscriber:
    """Return the row of this wish, made if there is none; what is chosen stays with its owner."""
    if wish.channel != Channel.EMAIL:
        try:
            guarded.refuse_unfit(wish.endpoint)
        except Undelivered as fault:
            raise NoAddressToPostTo(str(fault)) from fault
    email = _plain(wish.email)
    what: dict[str, Any] = {"incident_id": wish.incident_id}
    if wish.channel == Channel.EMAIL:
        what["email"] = email
    else:
        what["endpoint"] = wish.endpoint
    subscriber, is_new = Subscriber.objects.select_for_update().get_or_create(
        page_id=page_id,
        channel=wish.channel,
        **what,
        defaults={
            "email": email,
            "language": wish.language,
            "pace": wish.pace,
            "hears_of_maintenance": wish.hears_of_maintenance,
            "created_at": at,
        },
    )
    if is_new:
        subscriber.components.set(wish.component_ids)
        if wish.channel == Channel.WEBHOOK:
            subscriber.signing_key = SigningKey.objects.create(secret=new_secret(), made_at=at)
            subscriber.save(update_fields=["signing_key"])
    return subscriber


def _begin_telling(subscriber: Subscriber, *, at: datetime) -> None:
    subscriber.confirmed_at = at
    subscriber.unsubscribed_at = subscriber.quarantined_at = None
    subscriber.quarantine_reason = ""
    subscriber.save(
        update_fields=["confirmed_at", "unsubscribed_at", "quarantined_at", "quarantine_reason"]
    )


def _plain(email: str) -> str:
    return email.strip().lower()
