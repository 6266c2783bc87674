"""Causes by API: listed, added, changed, put in order, taken off and brought back."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from incidents import operations
from incidents.models import Incident, RootCause, VendorCase
from incidents.values import LONGEST_TEXT, CauseKind


class CaseSerializer(serializers.ModelSerializer[VendorCase]):
    class Meta:
        model = VendorCase
        fields = [
            "provider", "reference", "url", "state", "opened_at", "opened_precision",
            "opened_said", "promised_at", "promised_precision", "promised_said", "note", "version",
        ]  # fmt: skip


class CauseSerializer(serializers.ModelSerializer[RootCause]):
    vendor_case = serializers.SerializerMethodField()

    class Meta:
        model = RootCause
        fields = [
            "id", "incident", "position", "kind", "text", "at", "until", "precision", "approx",
            "said", "evidence", "addressed_by", "vendor_case", "created_at", "edited_at",
            "deleted_at", "version",
        ]  # fmt: skip

    def get_vendor_case(self, row: RootCause) -> dict[str, Any] | None:
        case = getattr(row, "vendor_case", None)
        return dict(CaseSerializer(case).data) if case else None


class _CauseFields(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=CauseKind.choices)
    text = serializers.CharField(max_length=LONGEST_TEXT)
    evidence = serializers.ListField(
        child=serializers.IntegerField(), required=False, help_text="Ids of entries that show it."
    )
    addressed_by = serializers.ListField(
        child=serializers.IntegerField(),
        required=False,
        help_text="Ids of action items that address it.",
    )


class AddCauseSerializer(_CauseFields):
    incident = serializers.PrimaryKeyRelatedField(queryset=Incident.objects.none())

    def __init__(self, *args: Any, incidents: QuerySet[Incident], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["incident"].queryset = incidents  # type: ignore[attr-defined]


class EditCauseSerializer(_CauseFields):
    kind = serializers.ChoiceField(choices=CauseKind.choices, required=False)
    text = serializers.CharField(required=False, max_length=LONGEST_TEXT)
    version = serializers.IntegerField(help_text="The version that was read.")


class MoveSerializer(serializers.Serializer[Any]):
    direction = serializers.ChoiceField(choices=["up", "down"])


class ListSerializer(serializers.Serializer[Any]):
    incident = serializers.IntegerField(required=False)


class InOrder(CursorPagination):
    ordering = ("incident_id", "position", "id")
    page_size = 50


class CauseViewSet(mixins.RetrieveModelMixin, viewsets.GenericViewSet[RootCause]):
    """Causes of every incident that whoever asks may know of; by itself, one taken off, too."""

    serializer_class = CauseSerializer
    pagination_class = InOrder

    def get_queryset(self) -> QuerySet[RootCause]:
        seen = Incident.objects.seen_by(_author(self.request))
        return (
            RootCause.objects.filter(incident__in=seen)
            .select_related("vendor_case")
            .prefetch_related("evidence", "addressed_by")
        )

    def list(self, request: Request) -> Response:
        """List the causes on record, of all incidents or of one, in their order."""
        asked = _checked(ListSerializer(data=request.query_params))
        rows = self.get_queryset().live().filter(**asked)  # type: ignore[attr-defined]
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(CauseSerializer(page, many=True).data)

    def create(self, request: Request) -> Response:
        """Write down one reason."""
        seen = Incident.objects.seen_by(_author(request))
        asked = _checked(AddCauseSerializer(data=request.data, incidents=seen))
        row = operations.record_root_cause(
            incident_id=asked.pop("incident").pk,
            **asked,
            at=timezone.now(),
            author=_author(request),
        )
        return Response(self._shown(row), status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a cause, if it still has the version that was read."""
        row = self.get_object()
        operations.edit_root_cause(
            **_checked(EditCauseSerializer(data=request.data)),
            cause_id=row.pk,
            at=timezone.now(),
            author=_author(request),
        )
        return Response(self._shown(row))

    def destroy(self, request: Request, pk: str) -> Response:
        """Take a cause off the record."""
        operations.remove_root_cause(
            cause_id=self.get_object().pk, at=timezone.now(), author=_author(request)
        )
        return Response(status=status.HTTP_204_NO_CONTENT)

    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        """Bring a cause back."""
        row = self.get_object()
        operations.restore_root_cause(cause_id=row.pk, at=timezone.now(), author=_author(request))
        return Response(self._shown(row))

    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: str) -> Response:
        """Let a cause change places with its neighbour."""
        row = self.get_object()
        asked = _checked(MoveSerializer(data=request.data))
        operations.move_root_cause(cause_id=row.pk, direction=asked["direction"])
        return Response(self._shown(row))

    def _shown(self, row: RootCause) -> Any:
        return CauseSerializer(self.get_queryset().get(pk=row.pk)).data


def _checked(serializer: Any) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _author(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user
