"""Updates for programs: put aside, handed in, approved, corrected; the same deeds as the pages'."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from incidents import operations
from incidents.api.serializers import components_by_our_id, warnings_of
from incidents.models import Component, Incident, StatusUpdate
from incidents.plans import UpdatePlan
from incidents.values import LONGEST_TEXT, ComponentStatus, Confidence, Phase, UpdateState, When

_WEEK_MINUTES = 7 * 24 * 60
_MOST_DIGITS = 18


class UpdateSerializer(serializers.ModelSerializer[StatusUpdate]):
    class Meta:
        model = StatusUpdate
        fields = [
            "id", "public_id", "incident", "body", "phase", "state", "author", "author_label",
            "approver", "approved_at", "unapproved_reason", "returned_reason",
            "deliver_notifications", "version", "created_at", "published_at", "edited_at",
        ]  # fmt: skip


class WholeUpdateSerializer(UpdateSerializer):
    """An update with what it brings when it is published."""

    plan = serializers.SerializerMethodField()
    warnings = serializers.SerializerMethodField()

    class Meta(UpdateSerializer.Meta):
        fields = [*UpdateSerializer.Meta.fields, "plan", "warnings"]

    def get_warnings(self, row: StatusUpdate) -> list[dict[str, str]]:
        is_told = row.state == UpdateState.PUBLISHED
        return warnings_of(Incident.objects.get(pk=row.incident_id)) if is_told else []

    def get_plan(self, row: StatusUpdate) -> dict[str, Any]:
        plan = UpdatePlan.from_json(row.plan)
        pause = plan.next_update_in
        found = Component.objects.filter(pk__in=plan.component_statuses)
        return {
            "component_statuses": {
                component.public_id: plan.component_statuses[component.pk] for component in found
            },
            "next_update_at": plan.next_update_at,
            "next_update_minutes": pause and pause // timedelta(minutes=1),
            "eta_from": plan.eta and plan.eta.at,
            "eta_until": plan.eta and plan.eta.until,
            "eta_basis": plan.eta_basis,
            "eta_confidence": plan.eta_confidence,
        }


class DraftSerializer(serializers.Serializer[Any]):
    """What an update says, and what it brings."""

    body = serializers.CharField(max_length=LONGEST_TEXT)
    phase = serializers.ChoiceField(choices=Phase.choices)
    component_statuses = serializers.DictField(
        child=serializers.ChoiceField(choices=ComponentStatus.choices),
        default=dict,
        help_text="Status by the component's public id.",
    )
    next_update_at = serializers.DateTimeField(default=None, allow_null=True)
    next_update_minutes = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=1,
        max_value=_WEEK_MINUTES,
        help_text="Counted from when it is published.",
    )
    eta_from = serializers.DateTimeField(default=None, allow_null=True)
    eta_until = serializers.DateTimeField(default=None, allow_null=True)
    eta_basis = serializers.CharField(default="", allow_blank=True, max_length=300)
    eta_confidence = serializers.ChoiceField(
        choices=Confidence.choices, default="", allow_blank=True
    )
    deliver_notifications = serializers.BooleanField(default=True)

    def validate_component_statuses(self, value: dict[str, str]) -> dict[int, ComponentStatus]:
        """Turn public ids into ours.

        :raises ValidationError: if there is no component with such an id
        """
        return components_by_our_id(value)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Put the parts of the plan together, as ``plan``."""
        starts, ends = attrs.pop("eta_from"), attrs.pop("eta_until")
        if ends and not starts:
            raise serializers.ValidationError({"eta_from": "A range needs its beginning."})
        if starts and ends and ends < starts:
            raise serializers.ValidationError({"eta_until": "The end is before the start."})
        minutes = attrs.pop("next_update_minutes")
        attrs["plan"] = UpdatePlan(
            component_statuses=attrs.pop("component_statuses"),
            next_update_at=attrs.pop("next_update_at"),
            next_update_in=timedelta(minutes=minutes) if minutes else None,
            eta=When(at=starts, until=ends) if starts else None,
            eta_basis=attrs.pop("eta_basis"),
            eta_confidence=attrs.pop("eta_confidence"),
        )
        attrs["phase"] = Phase(attrs["phase"])
        return attrs


class NewDraftSerializer(DraftSerializer):
    incident = serializers.IntegerField()
    idempotency_key = serializers.CharField(default="", allow_blank=True, max_length=200)


class EditedDraftSerializer(DraftSerializer):
    version = serializers.IntegerField(help_text="The one that was read.")


class ReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=200)


class ApprovalSerializer(serializers.Serializer[Any]):
    # Required: what somebody else changed meanwhile goes out unread by nobody.
    version = serializers.IntegerField(help_text="The one that was read.")


class UnapprovedSerializer(ApprovalSerializer):
    reason = serializers.CharField(max_length=200)


class CorrectionSerializer(serializers.Serializer[Any]):
    body = serializers.CharField(max_length=LONGEST_TEXT)
    reason = serializers.CharField(default="", allow_blank=True, max_length=200)
    version = serializers.IntegerField(default=None, allow_null=True)


class NewestFirst(CursorPagination):
    ordering = "-id"
    page_size = 50


class UpdateViewSet(viewsets.ReadOnlyModelViewSet[StatusUpdate]):
    """What customers were told, and what waits to be."""

    serializer_class = UpdateSerializer
    pagination_class = NewestFirst

    def get_queryset(self) -> QuerySet[StatusUpdate]:
        found = StatusUpdate.objects.filter(incident__in=self._seen())
        named = self.request.query_params
        incident = named.get("incident", "")
        if incident.isdecimal() and len(incident) <= _MOST_DIGITS:
            found = found.filter(incident_id=int(incident))
        if state := named.get("state"):
            found = found.filter(state=state)
        return found

    def retrieve(self, request: Request, *_args: Any, **_kwargs: Any) -> Response:
        """Read one, with what it brings when it is published."""
        return _shown(self.get_object())

    def create(self, request: Request) -> Response:
        """Put an update aside. Customers read nothing of it."""
        asked = _checked(NewDraftSerializer(data=request.data))
        incident_id = asked.pop("incident")
        if not self._seen().filter(pk=incident_id).exists():
            raise serializers.ValidationError({"incident": f"There is no incident {incident_id}."})
        update = operations.draft_status_update(
            **asked, incident_id=incident_id, at=timezone.now(), author=_author(request)
        )
        return _shown(update, status.HTTP_201_CREATED)

    def update(self, request: Request, pk: str) -> Response:
        """Say it otherwise, before customers read it."""
        asked = _checked(EditedDraftSerializer(data=request.data))
        update = operations.edit_draft(
            **asked, update_id=self.get_object().pk, at=timezone.now(), author=_author(request)
        )
        return _shown(update)

    @action(detail=True, methods=["post"])
    def publish(self, request: Request, pk: str) -> Response:
        """Tell customers what a draft says, or hand it in where that is asked for."""
        asked = _checked(ApprovalSerializer(data=request.data))
        return self._do(operations.publish_draft, approver=_author(request), **asked)

    @action(detail=True, methods=["post"])
    def submit(self, request: Request, pk: str) -> Response:
        """Hand a draft in for approval."""
        return self._do(operations.submit_update, author=_author(request))

    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Let customers read what somebody else has written."""
        asked = _checked(ApprovalSerializer(data=request.data))
        return self._do(operations.approve_update, approver=_author(request), **asked)

    @action(detail=True, methods=["post"], url_path="return")
    def give_back(self, request: Request, pk: str) -> Response:
        """Give it back to be written anew."""
        asked = _checked(ReasonSerializer(data=request.data))
        return self._do(operations.return_update, author=_author(request), **asked)

    @action(detail=True, methods=["post"], url_path="publish-unapproved")
    def publish_unapproved(self, request: Request, pk: str) -> Response:
        """Tell customers although nobody could approve it."""
        asked = _checked(UnapprovedSerializer(data=request.data))
        return self._do(operations.publish_unapproved, author=_author(request), **asked)

    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str) -> Response:
        """Put it away."""
        return self._do(operations.discard_draft, author=_author(request))

    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        """Bring it back."""
        return self._do(operations.restore_draft, author=_author(request))

    @action(detail=True, methods=["post"])
    def correct(self, request: Request, pk: str) -> Response:
        """Correct what customers were told; the page shows that it was edited."""
        asked = _checked(CorrectionSerializer(data=request.data))
        return self._do(operations.correct_status_update, author=_author(request), **asked)

    def _do(self, deed: Callable[..., StatusUpdate], **asked: Any) -> Response:
        return _shown(deed(update_id=self.get_object().pk, at=timezone.now(), **asked))

    def _seen(self) -> QuerySet[Incident]:
        return Incident.objects.seen_by(_author(self.request))


def _shown(update: StatusUpdate, code: int = status.HTTP_200_OK) -> Response:
    return Response(WholeUpdateSerializer(update).data, status=code)


def _checked(serializer: Any) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _author(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user
