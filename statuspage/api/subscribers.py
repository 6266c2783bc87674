"""Who follows a page, or one incident of it."""

from collections.abc import Collection
from typing import Any

from django.db.models import Count, F, Q, QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from incidents.models import Incident
from notifications.models import Channel
from statuspage import subscribing
from statuspage.api.base import MOST_A_PAGE, ManagementView, created
from statuspage.api.bodies import Body
from statuspage.api.faults import Unfit
from statuspage.api.incidents import IncidentView
from statuspage.documents.moments import iso, iso_or_none
from statuspage.models import Pace, Subscriber
from statuspage.subscribing import Wish

_TYPES = ("email", "sms", "webhook", "integration_partner", "slack", "teams")
_MOST_AT_ONCE = 100
# Rooms of a chat, by where their addresses lie; those of other chats count as webhooks.
_SLACK = Q(endpoint__contains=".slack.com/") | Q(endpoint__contains=".slack-gov.com/")
_TEAMS = (
    Q(endpoint__contains=".webhook.office.com")
    | Q(endpoint__contains=".logic.azure.com")
    | Q(endpoint__contains=".api.powerplatform.com")
)
_BY_TYPE = {
    "email": Q(channel=Channel.EMAIL),
    "slack": Q(channel=Channel.CHAT) & _SLACK,
    "teams": Q(channel=Channel.CHAT) & _TEAMS,
    "webhook": Q(channel=Channel.WEBHOOK) | (Q(channel=Channel.CHAT) & ~_SLACK & ~_TEAMS),
    "sms": Q(pk__in=[]),
    "integration_partner": Q(pk__in=[]),
}
_HERE = Q(unsubscribed_at__isnull=True)
_BY_STATE = {
    "active": _HERE & Q(confirmed_at__isnull=False, quarantined_at__isnull=True),
    "unconfirmed": _HERE & Q(confirmed_at__isnull=True, quarantined_at__isnull=True),
    "quarantined": _HERE & Q(quarantined_at__isnull=False),
}
_SORTED = {
    "primary": ("email", "endpoint"),
    "relevance": ("email", "endpoint"),
    "created_at": ("created_at",),
    "quarantined_at": ("quarantined_at",),
}


class SubscriberView(ManagementView):
    """What any address of the followers of a page needs."""

    def everyone(self) -> QuerySet[Subscriber]:
        """Return who follows the page as a whole, and has not left."""
        return self.page.subscribers.filter(_HERE, incident__isnull=True)

    def narrowed(self, rows: QuerySet[Subscriber], body: Body | None = None) -> Any:
        """Return those of a type and in a state, as the address or the body asks."""
        kind, state = self._word("type", body), self._word("state", body) or "active"
        if kind and kind not in _BY_TYPE:
            raise Unfit(f"type must be one of {', '.join(_TYPES)}.")
        if state not in (*_BY_STATE, "all"):
            raise Unfit(f"state must be one of {', '.join([*_BY_STATE, 'all'])}.")
        rows = rows.filter(_BY_TYPE[kind]) if kind else rows
        return rows.filter(_BY_STATE[state]) if state in _BY_STATE else rows

    def _word(self, name: str, body: Body | None) -> str:
        return body.line(name) if body else self.asked(name)

    def objects(self, rows: QuerySet[Subscriber]) -> list[dict[str, Any]]:
        return [subscriber_object(self, row) for row in rows.prefetch_related("components")]

    def follower(self, public_id: str) -> Subscriber:
        """Return a follower of the page by the id that clients know.

        :raises NotFound: if there is none
        """
        found = self.page.subscribers.filter(_HERE, public_id=public_id).first()
        if found is None:
            raise NotFound("There is no subscriber with this id.")
        return found

    def chosen(self, body: Body, rows: QuerySet[Subscriber]) -> list[Subscriber]:
        """Return those of these whom a body names, by id or as "all".

        :raises Unfit: if it names nobody, or too many
        """
        named = body.raw("subscribers")
        if named == "all":
            found = list(rows[: _MOST_AT_ONCE + 1])
        elif isinstance(named, str) and named:
            found = list(rows.filter(public_id__in=[body.line("subscribers")]))
        else:
            ids = body.listing("subscribers")
            if not ids:
                raise Unfit('subscribers must be a list of ids, or "all".')
            found = list(rows.filter(public_id__in=ids[: _MOST_AT_ONCE + 1]))
            if len(ids) > _MOST_AT_ONCE:
                raise Unfit(f"Name {_MOST_AT_ONCE} subscribers at most.")
        if len(found) > _MOST_AT_ONCE:
            raise Unfit(f"These are more than {_MOST_AT_ONCE}. Name them, {_MOST_AT_ONCE} a time.")
        return found

    def taken_in(self, body: Body, incident: Incident | None) -> Subscriber:
        """Take in whom a body names; a mailbox is asked first, unless it is told not to.

        :raises Unfit: if nobody can be told that way
        """
        wish = self._wish(body, incident)
        vouched = body.flag("skip_confirmation_notification", default=False)
        if wish.channel == Channel.EMAIL and not vouched:
            subscribing.ask_to_follow(page_id=self.page.pk, wish=wish, at=self.at)
        else:
            subscribing.add_subscriber(page_id=self.page.pk, wish=wish, at=self.at)
        by_where = (
            {"email": wish.email.lower()}
            if wish.channel == Channel.EMAIL
            else {"endpoint": wish.endpoint}
        )
        rows = self.page.subscribers.filter(channel=wish.channel, incident=incident, **by_where)
        return rows.get()

    def _wish(self, body: Body, incident: Incident | None) -> Wish:
        if body.has("phone_number"):
            raise Unfit("Text messages are not sent from here. Give an email or an endpoint.")
        if body.has("page_access_user"):
            raise Unfit("This page has no page access users. Leave page_access_user out.")
        email, endpoint = body.email("email"), body.line("endpoint", longest=1000)
        if not (email or endpoint):
            raise Unfit("email can't be blank.")
        return Wish(
            channel=Channel.WEBHOOK if endpoint else Channel.EMAIL,
            email=email.lower(),
            endpoint=endpoint,
            component_ids=_component_ids(self, body),
            incident_id=incident.pk if incident else None,
        )


class Subscribers(SubscriberView):
    def get(self, _request: Request, **_ids: str) -> Response:
        rows = self.narrowed(self.everyone())
        if text := self.asked("q").strip():
            rows = rows.filter(Q(email__icontains=text) | Q(endpoint__icontains=text))
        limit = self.number("limit", default=MOST_A_PAGE, most=MOST_A_PAGE) or MOST_A_PAGE
        # Pages are counted from 0 here, and from 1 elsewhere.
        first = self.number("page", default=0, most=10**6) * limit
        rows = rows.order_by(*self._order())[first : first + limit]
        return Response(self.objects(rows))

    def post(self, _request: Request, **_ids: str) -> Response:
        row = self.taken_in(self.body("subscriber"), None)
        return created(subscriber_object(self, row))

    def _order(self) -> list[Any]:
        field = self.asked("sort_field") or "primary"
        way = self.asked("sort_direction") or "asc"
        if field not in _SORTED or way not in ("asc", "desc"):
            raise Unfit(
                f"sort_field must be one of {', '.join(_SORTED)}, sort_direction asc, desc."
            )
        names = [*_SORTED[field], "pk"]
        return [F(name).desc() if way == "desc" else F(name).asc() for name in names]


class SubscriberOne(SubscriberView):
    def get(self, _request: Request, subscriber: str, **_ids: str) -> Response:
        return Response(subscriber_object(self, self.follower(subscriber)))

    def patch(self, _request: Request, subscriber: str, **_ids: str) -> Response:
        """Choose of which components somebody hears; of all, if none is sent."""
        row, body = self.follower(subscriber), self.body()
        if "component_ids" in body and not body.listing("component_ids"):
            raise Unfit("component_ids needs at least one id. Leave it out for all components.")
        subscribing.choose(
            token=row.token,
            component_ids=_component_ids(self, body),
            pace=Pace(row.pace),
            language=row.language,
            hears_of_maintenance=row.hears_of_maintenance,
        )
        return Response(subscriber_object(self, self.follower(subscriber)))

    put = patch

    def delete(self, _request: Request, subscriber: str, **_ids: str) -> Response:
        row = self.follower(subscriber)
        answer = subscriber_object(self, row)
        subscribing.unsubscribe(token=row.token, at=self.at)
        return Response(answer)


class ResendOne(SubscriberView):
    def post(self, _request: Request, subscriber: str, **_ids: str) -> Response:
        _ask_again(self, [self.follower(subscriber)])
        return created(None)


class Resend(SubscriberView):
    def post(self, _request: Request, **_ids: str) -> Response:
        rows = self.everyone().filter(_BY_STATE["unconfirmed"], channel=Channel.EMAIL)
        _ask_again(self, self.chosen(self.body(), rows))
        return created(None)


class Unsubscribe(SubscriberView):
    def post(self, _request: Request, **_ids: str) -> Response:
        body = self.body()
        for row in self.chosen(body, self.narrowed(self.everyone(), body)):
            subscribing.unsubscribe(token=row.token, at=self.at)
        return created(None)


class Reactivate(SubscriberView):
    def post(self, _request: Request, **_ids: str) -> Response:
        """Tell those again whose messages came back."""
        body = self.body()
        kind = body.choice("type", _TYPES)
        rows = self.everyone().filter(_BY_STATE["quarantined"])
        for row in self.chosen(body, rows.filter(_BY_TYPE[kind]) if kind else rows):
            subscribing.add_subscriber(page_id=row.page_id, wish=_wish_of(row), at=self.at)
        return created(None)


class Unsubscribed(SubscriberView):
    def get(self, _request: Request, **_ids: str) -> Response:
        """List who has left, the last one first."""
        first, limit = self.bounds()
        left = self.page.subscribers.filter(unsubscribed_at__isnull=False, incident__isnull=True)
        rows = left.order_by("-unsubscribed_at", "-pk")
        return Response(self.objects(rows[first : first + limit]))


class Counts(SubscriberView):
    def get(self, _request: Request, **_ids: str) -> Response:
        counts = _counted(self.narrowed(self.everyone()), _BY_TYPE)
        asked = self.asked("type")
        return Response({key: counts[key] for key in _TYPES if asked in ("", key)})


class Histogram(SubscriberView):
    def get(self, _request: Request, **_ids: str) -> Response:
        found = {
            state: _counted(self.everyone().filter(q), _BY_TYPE) for state, q in _BY_STATE.items()
        }
        return Response(
            {
                kind: {state: counts[kind] for state, counts in found.items()}
                | {"total": sum(counts[kind] for counts in found.values())}
                for kind in _TYPES
            }
        )


class IncidentFollowers(IncidentView, SubscriberView):
    """Who follows one incident."""

    def row(self, public_id: str) -> Incident:
        found = self.one(public_id)
        if not isinstance(found, Incident):
            raise NotFound("A maintenance has no subscribers of its own. Subscribe to the page.")
        return found

    def of(self, public_id: str) -> QuerySet[Subscriber]:
        return self.page.subscribers.filter(_HERE, incident=self.row(public_id))

    def follower_of(self, incident: str, subscriber: str) -> Subscriber:
        found = self.of(incident).filter(public_id=subscriber).first()
        if found is None:
            raise NotFound("This incident has no subscriber with this id.")
        return found


class IncidentSubscribers(IncidentFollowers):
    def get(self, _request: Request, incident: str, **_ids: str) -> Response:
        first, limit = self.bounds()
        return Response(self.objects(self.of(incident).order_by("pk")[first : first + limit]))

    def post(self, _request: Request, incident: str, **_ids: str) -> Response:
        found = self.taken_in(self.body("subscriber"), self.row(incident))
        return created(subscriber_object(self, found))


class IncidentSubscriberOne(IncidentFollowers):
    def get(self, _request: Request, incident: str, subscriber: str, **_ids: str) -> Response:
        return Response(subscriber_object(self, self.follower_of(incident, subscriber)))

    def delete(self, _request: Request, incident: str, subscriber: str, **_ids: str) -> Response:
        row = self.follower_of(incident, subscriber)
        answer = subscriber_object(self, row)
        subscribing.unsubscribe(token=row.token, at=self.at)
        return Response(answer)


class IncidentResend(IncidentFollowers):
    def post(self, _request: Request, incident: str, subscriber: str, **_ids: str) -> Response:
        _ask_again(self, [self.follower_of(incident, subscriber)])
        return created(None)


def subscriber_object(view: ManagementView, row: Subscriber) -> dict[str, Any]:
    """Return what is said of a follower. The address of a chat's room is a secret: masked."""
    zone = view.facts.zone
    kind = _type_of(row)
    parts = sorted(row.components.all(), key=lambda part: (part.position, part.pk))
    return {
        "id": row.public_id,
        "skip_confirmation_notification": False,
        "mode": kind,
        "email": row.email or None,
        "endpoint": row.endpoint if row.channel == Channel.WEBHOOK else None,
        "phone_number": None,
        "phone_country": None,
        "display_phone_number": None,
        "obfuscated_channel_name": str(row) if row.channel == Channel.CHAT else None,
        "workspace_name": None,
        "quarantined_at": iso_or_none(row.quarantined_at, zone),
        "purge_at": None,
        "components": [part.public_id for part in parts],
        "page_access_user_id": None,
        "created_at": iso(row.created_at, zone),
    }


def _type_of(row: Subscriber) -> str:
    if row.channel == Channel.EMAIL:
        return "email"
    if row.channel == Channel.CHAT:
        if ".slack.com/" in row.endpoint or ".slack-gov.com/" in row.endpoint:
            return "slack"
        if any(
            host in row.endpoint
            for host in (".webhook.office.com", ".logic.azure.com", ".api.powerplatform.com")
        ):
            return "teams"
    return "webhook"


def _counted(rows: QuerySet[Subscriber], by: dict[str, Q]) -> dict[str, int]:
    """Return how many there are of each type: one query."""
    found: dict[str, int] = rows.aggregate(
        **{name: Count("pk", filter=wanted) for name, wanted in by.items()}
    )
    return found


def _component_ids(view: ManagementView, body: Body) -> Collection[int]:
    """Return our ids of the components that a body names, groups among them.

    :raises Unfit: if the page has none with one of these ids
    """
    known = {part.public_id: part.pk for part in view.facts.components}
    wanted = body.listing("component_ids")
    if unknown := [name for name in wanted if name not in known]:
        raise Unfit(f"{', '.join(unknown[:10])}: this page has no component with such an id.")
    return [known[name] for name in wanted]


def _ask_again(view: ManagementView, rows: Collection[Subscriber]) -> None:
    """Ask those who have not answered; one mailbox no more often than it is asked anyway."""
    for row in rows:
        if row.channel == Channel.EMAIL and row.confirmed_at is None:
            subscribing.ask_to_follow(page_id=row.page_id, wish=_wish_of(row), at=view.at)


def _wish_of(row: Subscriber) -> Wish:
    return Wish(
        channel=Channel(row.channel),
        email=row.email,
        endpoint=row.endpoint,
        language=row.language,
        incident_id=row.incident_id,
    )
