"""Programs at the desk: parse, one operation, say what happened."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from incidents import account, operations, queries
from incidents.api.serializers import (
    AddEntrySerializer,
    BackfillSerializer,
    DeclareSerializer,
    EntrySerializer,
    IncidentSerializer,
    PostUpdateSerializer,
    ReopenSerializer,
    UpdateSerializer,
    warnings_of,
)
from incidents.models import Incident, Postmortem
from incidents.values import Source, When


class NewestFirst(CursorPagination):
    ordering = "-id"
    page_size = 50


class IncidentViewSet(viewsets.ReadOnlyModelViewSet[Incident]):
    """Incidents, their timelines and what customers are told."""

    serializer_class = IncidentSerializer
    pagination_class = NewestFirst

    def get_queryset(self) -> QuerySet[Incident]:
        return Incident.objects.seen_by(_author(self.request))

    def create(self, request: Request) -> Response:
        """Declare an incident."""
        asked = _checked(DeclareSerializer(data=request.data))
        started_at, components = asked.pop("started_at"), asked.pop("component_statuses")
        incident = operations.declare_incident(
            **asked,
            components=components,
            started=When(at=started_at) if started_at else None,
            at=timezone.now(),
            author=_author(request),
            source=Source.API,
        )
        said = IncidentSerializer(incident).data | {"warnings": warnings_of(incident)}
        return Response(said, status=status.HTTP_201_CREATED)

    @action(detail=False, methods=["post"])
    def backfill(self, request: Request) -> Response:
        """Write an incident down that is over. Nobody is notified."""
        incident = operations.backfill_incident(
            **_checked(BackfillSerializer(data=request.data)),
            at=timezone.now(),
            author=_author(request),
            source=Source.API,
        )
        return Response(IncidentSerializer(incident).data, status=status.HTTP_201_CREATED)

    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        """Open it again: its components are as they were until its end, unless said otherwise."""
        incident = operations.reopen_incident(
            **_checked(ReopenSerializer(data=request.data)),
            incident_id=self.get_object().pk,
            at=timezone.now(),
            author=_author(request),
        )
        said = IncidentSerializer(incident).data | {"warnings": warnings_of(incident)}
        return Response(said)

    @action(detail=True, methods=["get", "post"])
    def entries(self, request: Request, pk: str) -> Response:
        """Read the timeline, or add to it."""
        incident = self.get_object()
        if request.method == "GET":
            shown = EntrySerializer(queries.timeline(incident.pk), many=True)
            return Response({"results": shown.data})
        asked = _checked(AddEntrySerializer(data=request.data))
        now = timezone.now()
        entry = operations.add_entry(
            **asked | {"when": asked["when"] or When(at=now)},
            incident_id=incident.pk,
            at=now,
            author=_author(request),
            source=Source.API,
        )
        return Response(EntrySerializer(entry).data, status=status.HTTP_201_CREATED)

    @action(detail=True, methods=["get", "post"])
    def updates(self, request: Request, pk: str) -> Response:
        """Read what customers were told, or tell them."""
        incident = self.get_object()
        if request.method == "GET":
            shown = UpdateSerializer(incident.updates.published().newest_first(), many=True)
            return Response({"results": shown.data})
        update = operations.post_status_update(
            **_checked(PostUpdateSerializer(data=request.data)),
            incident_id=incident.pk,
            at=timezone.now(),
            author=_author(request),
        )
        incident.refresh_from_db()
        said = UpdateSerializer(update).data | {"warnings": warnings_of(incident)}
        return Response(said, status=status.HTTP_201_CREATED)

    @action(detail=True, methods=["get"])
    def postmortem(self, request: Request, pk: str) -> Response:
        """Read the postmortem: its state, and its sections as HTML and as they were written.

        With ``?export=md`` the whole record is added as the document that can be imported.
        """
        incident = self.get_object()
        written = Postmortem.objects.filter(incident=incident).first()
        if written is None:
            raise NotFound("No postmortem is begun. Begin it at the desk.")
        record = queries.record_of(incident.pk)
        told: dict[str, Any] = {
            "state": written.state,
            "version": written.version,
            "approved_at": written.approved_at,
            "published_at": written.published_at,
            "sections": [
                {
                    "id": section.n,
                    "kind": section.kind,
                    "title": section.title,
                    "body": section.body,
                    "html": account.body_html(section.body, record),
                    "is_public": section.is_public,
                }
                for section in record.sections
            ],
        }
        if request.query_params.get("export") == "md":
            told["document"] = account.write_markdown(account.numbered(record))
        return Response(told)


def _checked(serializer: Any) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _author(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user
