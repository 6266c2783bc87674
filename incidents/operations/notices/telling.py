"""One fact, told once to everybody whom it concerns, in the transaction that makes it one."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from django.conf import settings
from django.db import transaction

from accounts.models import User
from incidents import notice_words
from incidents.models import (
    Incident,
    Notice,
    NoticeChannel,
    Postmortem,
    Promise,
    RoleAssignment,
    StatusUpdate,
)
from incidents.notice_words import Words
from incidents.values import NoticeKind, PromiseKind, Role
from notifications import outbox
from notifications.models import Channel

# Who speaks to customers while nobody has been given that role.
_SPEAKERS = (Role.COMMUNICATIONS, Role.COMMANDER, Role.DEPUTY)


def tell_declared(incident: Incident, *, author: User | None, at: datetime) -> None:
    """Tell that an incident is declared, once its roles and its members are set."""
    tell(
        incident,
        kind=NoticeKind.DECLARED,
        fact=str(incident.pk),
        words=notice_words.declared(author.label() if author else ""),
        people=[*holders(incident).values(), *members_of(incident)],
        but=author,
        at=at,
    )


def tell_approval_wanted(
    update: StatusUpdate, *, at: datetime, asked_by: User | None = None
) -> None:
    """Tell those who could approve an update that it waits; who rests is left to rest.

    Called with every submission: an update that was given back and comes again is told again.
    """
    incident = update.incident
    resting = RoleAssignment.objects.filter(resting_until_at__gt=at).values("holder_id")
    approvers = User.objects.filter(is_active=True, is_staff=True).exclude(pk__in=resting)
    if update.author_id is not None:
        approvers = approvers.exclude(pk=update.author_id)
    tell(
        incident,
        kind=NoticeKind.APPROVAL_WANTED,
        fact=f"{update.pk}:{at:%Y%m%dT%H%M%S.%f}",
        words=notice_words.approval_wanted(update.author.label() if update.author else ""),
        people=approvers,
        but=asked_by,
        at=at,
    )


def tell_returned(update: StatusUpdate, *, at: datetime, author: User | None) -> None:
    """Tell whoever wrote an update that ``author`` has given it back, and why.

    The team's rooms hear of it where that person has no address.
    """
    if update.author is None or update.author == author:
        return
    name = author.label() if author else ""
    tell(
        update.incident,
        kind=NoticeKind.UPDATE_RETURNED,
        fact=f"{update.pk}:{at:%Y%m%dT%H%M%S.%f}",
        words=notice_words.update_returned(name, update.returned_reason),
        people=[update.author],
        in_channels=None,
        at=at,
    )


def tell_review_wanted(postmortem: Postmortem, *, at: datetime, author: User) -> None:
    """Tell those at the desk that a postmortem waits for somebody to read it; who rests is left."""
    resting = RoleAssignment.objects.filter(resting_until_at__gt=at).values("holder_id")
    tell(
        postmortem.incident,
        kind=NoticeKind.REVIEW_WANTED,
        fact=f"{postmortem.pk}:{at:%Y%m%dT%H%M%S.%f}",
        words=notice_words.review_wanted(author.label()),
        people=User.objects.filter(is_active=True, is_staff=True).exclude(pk__in=resting),
        but=author,
        at=at,
    )


def tell_review_returned(postmortem: Postmortem, *, at: datetime, author: User | None) -> None:
    """Tell who asked for a review that the postmortem was given back, and why."""
    asked_by = postmortem.review_asked_by
    if asked_by is None or asked_by == author:
        return
    name = author.label() if author else ""
    tell(
        postmortem.incident,
        kind=NoticeKind.REVIEW_RETURNED,
        fact=f"{postmortem.pk}:{at:%Y%m%dT%H%M%S.%f}",
        words=notice_words.review_returned(name, postmortem.returned_reason),
        people=[asked_by],
        in_channels=None,
        at=at,
    )


def tell_promise_missed(promise: Promise, *, at: datetime) -> None:
    """Tell whoever speaks to customers, and the commander, that a promise was not kept."""
    held = holders(promise.incident)
    speaker = speakers(held) if promise.kind == PromiseKind.NEXT_UPDATE else list(held.values())
    tell(
        promise.incident,
        kind=NoticeKind.PROMISE_MISSED,
        fact=str(promise.pk),
        words=notice_words.promise_missed(promise, tz=promise.incident.tz, at=at),
        people=[*speaker, *commander_of(held)],
        at=at,
    )


def tell(
    incident: Incident,
    *,
    kind: NoticeKind,
    fact: str,
    words: Words,
    people: Iterable[User],
    at: datetime,
    but: User | None = None,
    in_channels: bool | None = True,
) -> bool:
    """Queue the messages of one fact. False if it has been told already.

    Told are these ``people``, but for one who knows already, and every channel that hears of it;
    with ``in_channels`` None, channels hear only if none of the people can be told. A private
    incident concerns its members and who holds a role in it, and no channel.
    """
    with transaction.atomic():
        notice, is_new = Notice.objects.get_or_create(
            key=f"{kind}:{fact}",
            defaults={
                "kind": kind,
                "incident": incident,
                "subject": notice_words.subject(incident, kind, words),
                "told_at": at,
            },
        )
        if not is_new:
            return False
        receivers = dict(_mailboxes(incident, people, but=but))
        keys: dict[str, int | None] = {}
        if in_channels or (in_channels is None and not receivers):
            for row in _channels(incident, kind):
                receivers.setdefault((Channel(row.channel), row.address), f"channel-{row.pk}")
                keys[row.address] = row.signing_key_id
        body = notice_words.body(incident, words, desk_url=settings.DESK_URL)
        for (channel, recipient), name in receivers.items():
            outbox.enqueue(
                channel=channel,
                recipient=recipient,
                subject=notice.subject,
                body=body,
                idempotency_key=f"{notice.about}-to-{name}",
                about=notice.about,
                at=at,
                headers={"References": f"<desk-incident-{incident.public_id}@highwater>"}
                if channel == Channel.EMAIL
                else {"type": f"incident.{kind}"},
                signing_key_id=keys.get(recipient) if channel == Channel.WEBHOOK else None,
            )
        notice.recipients = len(receivers)
        notice.save(update_fields=["recipients"])
    return True


def holders(incident: Incident) -> dict[Role, User]:
    """Return who holds which role now."""
    rows = incident.roles.filter(until_at__isnull=True).select_related("holder")
    return {Role(row.role): row.holder for row in rows}


def speakers(held: dict[Role, User]) -> list[User]:
    """Return who writes to customers: the first of these who is there, or whoever is."""
    first = next((held[role] for role in _SPEAKERS if role in held), None)
    return [first] if first else list(held.values())


def commander_of(held: dict[Role, User]) -> list[User]:
    """Return who commands, if anybody does."""
    return [held[Role.COMMANDER]] if Role.COMMANDER in held else []


def members_of(incident: Incident) -> Collection[User]:
    """Return who may know of a private incident; of others everybody may, and nobody is named."""
    if not incident.is_private:
        return []
    members: Collection[User] = incident.members.all()
    return members


def _mailboxes(
    incident: Incident, people: Iterable[User], *, but: User | None
) -> Iterator[tuple[tuple[Channel, str], str]]:
    concerned = None
    if incident.is_private:
        own = {user.pk for user in members_of(incident)}
        concerned = own | {user.pk for user in holders(incident).values()}
    for user in people:
        knows = but is not None and user.pk == but.pk
        may_know = concerned is None or user.pk in concerned
        if user.is_active and user.email and may_know and not knows:
            yield (Channel.EMAIL, user.email), f"person-{user.pk}"


def _channels(incident: Incident, kind: NoticeKind) -> Iterable[NoticeChannel]:
    """Return the channels that hear of this; SEV1 comes first in the alphabet, too."""
    if incident.is_private:
        return []
    return NoticeChannel.objects.filter(
        is_enabled=True, kinds__contains=[kind], least_severity__gte=incident.severity
    ).order_by("pk")
