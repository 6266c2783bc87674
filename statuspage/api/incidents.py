"""Incidents and planned work: one collection, as clients of status pages know them."""

from collections.abc import Callable, Sequence
from typing import Any

from django.db import transaction
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from incidents import operations, queries
from incidents.models import Incident, Maintenance, MaintenanceUpdate, StatusUpdate
from incidents.values import Phase
from statuspage.api import planning, saying
from statuspage.api.base import MOST_A_PAGE, ManagementView, created
from statuspage.api.bodies import Body
from statuspage.api.faults import Unfit
from statuspage.api.objects import incident_objects, update_object
from statuspage.documents.facts import said, told

_SECONDS_APART = 1


class IncidentView(ManagementView):
    """What any address below ``/incidents`` needs: the rows that this page and user may see."""

    def incidents(self) -> Any:
        return queries.managed_incidents(user_id=self.user.pk, touching=self.touching)

    def maintenances(self) -> Any:
        return queries.managed_maintenances(touching=self.touching)

    def one(self, public_id: str) -> Incident | Maintenance:
        """Return what has this id, with all that is shown of it.

        :raises NotFound: if the page has nothing with it
        """
        for rows in (self.incidents(), self.maintenances()):
            if found := self.facts.scope.narrow(rows.filter(public_id=public_id)):
                row: Incident | Maintenance = found[0]
                return row
        raise NotFound

    def shown(self, row: Incident | Maintenance) -> Any:
        """Return what is said of a row after a deed: it is read anew."""
        self.read_anew()
        rows = self.incidents() if isinstance(row, Incident) else self.maintenances()
        found = self.facts.scope.narrow(rows.filter(pk=row.pk))
        return incident_objects(self.facts, found)[0]


class Incidents(IncidentView):
    def get(self, _request: Request, **_ids: str) -> Response:
        """List both, the newest first."""
        first, limit = self.bounds()
        found = queries.managed_newest(
            user_id=self.user.pk,
            touching=self.touching,
            text=self.asked("q").strip(),
            first=first,
            limit=limit,
        )
        scope = self.facts.scope
        incidents = scope.narrow(self.incidents().filter(pk__in=found.incidents))
        works = scope.narrow(self.maintenances().filter(pk__in=found.maintenances))
        by_key = {("incident", row.pk): row for row in incidents}
        both: dict[tuple[str, int], Incident | Maintenance] = {
            **by_key, **{("maintenance", row.pk): row for row in works}
        }  # fmt: skip
        return Response(
            incident_objects(self.facts, [both[key] for key in found.rows if key in both])
        )

    def post(self, _request: Request, **_ids: str) -> Response:
        """Declare an incident, or schedule a maintenance."""
        body = self.body("incident")
        is_planned = body.has("scheduled_for") or body.raw("status") in planning.STATES
        with transaction.atomic():
            if is_planned:
                row: Incident | Maintenance = planning.schedule(self, body)
            else:
                row = saying.declare(self, body)
        return created(self.shown(row))


class IncidentOne(IncidentView):
    def get(self, _request: Request, incident: str, **_ids: str) -> Response:
        return Response(incident_objects(self.facts, [self.one(incident)])[0])

    def patch(self, _request: Request, incident: str, **_ids: str) -> Response:
        """Move it on, tell customers more, call it otherwise."""
        body = self.body("incident")
        row = self.one(incident)
        with transaction.atomic():
            if isinstance(row, Incident):
                self._refuse_wait(row, body)
                if body.raw("status") in planning.STATES:
                    raise Unfit(f"status must be one of {', '.join(Phase.values)}: it is no plan.")
                saying.change(self, row, body)
            else:
                planning.change(self, row, body)
        return Response(self.shown(row))

    put = patch

    def delete(self, _request: Request, incident: str, **_ids: str) -> Response:
        """Take it off the page; the record keeps it."""
        row = self.one(incident)
        answer = incident_objects(self.facts, [row])[0]
        if isinstance(row, Incident):
            saying.take_away(self, row)
        else:
            planning.take_away(self, row)
        return Response(answer)

    def _refuse_wait(self, row: Incident, body: Body) -> None:
        if row.published_at is None and body.has("body"):
            raise Unfit("Its first words wait for approval at the desk. Post again after that.")


class Unresolved(IncidentView):
    def get(self, _request: Request, **_ids: str) -> Response:
        rows = self.incidents().exclude(phase=Phase.RESOLVED).order_by("-updated_at", "-pk")
        return _listed(self, rows)


class Scheduled(IncidentView):
    """What is to come, or is at work."""

    def get(self, _request: Request, **_ids: str) -> Response:
        return _listed(self, self.maintenances().unfinished().soonest_first())


class Upcoming(IncidentView):
    def get(self, _request: Request, **_ids: str) -> Response:
        return _listed(self, self.maintenances().upcoming().soonest_first())


class ActiveMaintenance(IncidentView):
    def get(self, _request: Request, **_ids: str) -> Response:
        return _listed(self, self.maintenances().running().soonest_first())


class UpdateOne(IncidentView):
    def patch(self, _request: Request, incident: str, update: str, **_ids: str) -> Response:
        """Put right what customers were told. The page shows that it was edited."""
        row = self.one(incident)
        found = _update(row, update)
        body = self.body("incident_update")
        self._refuse_time(found, body)
        words = body.text("body").strip()
        if words and words != found.body:
            correct: Callable[..., object] = (
                operations.correct_status_update
                if isinstance(found, StatusUpdate)
                else operations.correct_maintenance_update
            )
            correct(update_id=found.pk, body=words, at=self.at, author=self.user)
        row = self.one(incident)
        return Response(update_object(self.facts, row, _update(row, update)))

    put = patch

    def _refuse_time(self, found: StatusUpdate | MaintenanceUpdate, body: Body) -> None:
        asked, is_so = body.moment("display_at"), found.published_at
        if asked and is_so and abs((asked - is_so).total_seconds()) > _SECONDS_APART:
            raise Unfit("display_at stays: when customers were told is on record. Leave it out.")


def _listed(view: IncidentView, rows: Any) -> Response:
    first, limit = view.bounds()
    found = view.facts.scope.narrow(rows[first : first + min(limit, MOST_A_PAGE)])
    return Response(incident_objects(view.facts, found))


def _update(row: Incident | Maintenance, public_id: str) -> StatusUpdate | MaintenanceUpdate:
    updates: Sequence[StatusUpdate | MaintenanceUpdate] = (
        told(row) if isinstance(row, Incident) else said(row)
    )
    for update in updates:
        if update.public_id == public_id:
            return update
    raise NotFound
