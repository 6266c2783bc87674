"""Planned work for programs: the same operations as the pages call."""

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
from incidents import operations, queries
from incidents.models import Component, Maintenance, MaintenanceUpdate
from incidents.operations import Plan
from incidents.values import LONGEST_TEXT, ComponentStatus, Visibility, zone

_MINUTE = timedelta(minutes=1)
_DURING = [ComponentStatus.UNDER_MAINTENANCE, ComponentStatus.OPERATIONAL]


class MaintenanceSerializer(serializers.ModelSerializer[Maintenance]):
    components = serializers.SlugRelatedField[Component](
        slug_field="public_id", many=True, read_only=True
    )
    remind_before_minutes = serializers.SerializerMethodField()
    reminded_at = serializers.DateTimeField(source="reminder_sent_at", read_only=True)

    class Meta:
        model = Maintenance
        fields = [
            "id", "ref", "public_id", "title", "state", "visibility", "tz", "scheduled_for",
            "scheduled_until", "began_at", "ended_at", "components", "component_status",
            "starts_by_itself", "ends_by_itself", "remind_before_minutes", "reminded_at",
            "deliver_notifications", "sequence", "created_at", "updated_at", "published_at",
        ]  # fmt: skip

    def get_remind_before_minutes(self, row: Maintenance) -> int | None:
        return row.remind_before // _MINUTE if row.remind_before else None


class MaintenanceUpdateSerializer(serializers.ModelSerializer[MaintenanceUpdate]):
    class Meta:
        model = MaintenanceUpdate
        fields = ["id", "public_id", "state", "body", "published_at", "edited_at"]


class PlanSerializer(serializers.Serializer[Any]):
    """What planned work is called, what it touches, and what goes by itself."""

    title = serializers.CharField(max_length=140)
    components = serializers.ListField(
        child=serializers.CharField(max_length=12), default=list, help_text="Public ids."
    )
    component_status = serializers.ChoiceField(choices=_DURING, default=_DURING[0])
    visibility = serializers.ChoiceField(
        choices=[Visibility.PUBLIC, Visibility.INTERNAL], default=Visibility.PUBLIC
    )
    tz = serializers.CharField(default="UTC", max_length=64)
    starts_by_itself = serializers.BooleanField(default=True)
    ends_by_itself = serializers.BooleanField(default=True)
    remind_before_minutes = serializers.IntegerField(
        default=None, allow_null=True, min_value=1, max_value=366 * 24 * 60
    )
    deliver_notifications = serializers.BooleanField(default=True)

    def validate_components(self, value: list[str]) -> list[int]:
        """Turn public ids into ours.

        :raises ValidationError: if there is no component with such an id
        """
        known = dict(
            Component.objects.filter(public_id__in=value, is_group=False).values_list(
                "public_id", "pk"
            )
        )
        if missing := sorted(set(value) - set(known)):
            raise serializers.ValidationError(f"There is no component {', '.join(missing)}.")
        return list(known.values())

    def validate_tz(self, value: str) -> str:
        try:
            zone(value)
        except ValueError as fault:
            raise serializers.ValidationError(str(fault)) from fault
        return value

    def plan(self) -> Plan:
        """Return what was asked for, once it is valid."""
        data: dict[str, Any] = {
            name: self.validated_data[name] for name in PlanSerializer().get_fields()
        }
        minutes = data.pop("remind_before_minutes")
        return Plan(**data, remind_before=minutes * _MINUTE if minutes else None)


class WindowSerializer(serializers.Serializer[Any]):
    """From when until when, and what customers are told."""

    scheduled_for = serializers.DateTimeField()
    scheduled_until = serializers.DateTimeField()
    body = serializers.CharField(
        default="", allow_blank=True, max_length=LONGEST_TEXT, help_text="Empty: the usual words."
    )
    is_long_meant = serializers.BooleanField(default=False)


class ScheduleSerializer(PlanSerializer, WindowSerializer):
    """All that is said when work is planned."""

    def window(self) -> dict[str, Any]:
        """Return from when until when, and what goes with that."""
        return {name: self.validated_data[name] for name in WindowSerializer().get_fields()}


class ExtendSerializer(serializers.Serializer[Any]):
    until = serializers.DateTimeField()
    body = serializers.CharField(default="", allow_blank=True, max_length=LONGEST_TEXT)
    is_long_meant = serializers.BooleanField(default=False)


class DeedSerializer(serializers.Serializer[Any]):
    body = serializers.CharField(default="", allow_blank=True, max_length=LONGEST_TEXT)


class PostSerializer(serializers.Serializer[Any]):
    body = serializers.CharField(max_length=LONGEST_TEXT)
    deliver_notifications = serializers.BooleanField(default=None, allow_null=True)
    idempotency_key = serializers.CharField(default="", allow_blank=True, max_length=200)


class SoonestLast(CursorPagination):
    ordering = "-id"
    page_size = 50


class MaintenanceViewSet(viewsets.ReadOnlyModelViewSet[Maintenance]):
    """Planned work, and how it goes."""

    serializer_class = MaintenanceSerializer
    pagination_class = SoonestLast

    def get_queryset(self) -> QuerySet[Maintenance]:
        return queries.maintenances()

    def create(self, request: Request) -> Response:
        """Schedule it. Work that is over is written down, and nobody is notified."""
        asked = ScheduleSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        maintenance = operations.schedule_maintenance(
            plan=asked.plan(), **asked.window(), at=timezone.now(), author=_author(request)
        )
        return _shown(maintenance, status.HTTP_201_CREATED)

    def update(self, request: Request, pk: str) -> Response:
        """Say anew what it is called, what it touches and what goes by itself."""
        asked = PlanSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return _shown(
            operations.edit_maintenance(
                maintenance_id=self.get_object().pk,
                plan=asked.plan(),
                at=timezone.now(),
                author=_author(request),
            )
        )

    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: str) -> Response:
        """Give it another time."""
        return self._do(operations.reschedule_maintenance, WindowSerializer, request)

    @action(detail=True, methods=["post"])
    def extend(self, request: Request, pk: str) -> Response:
        """Give it a later end."""
        return self._do(operations.extend_maintenance, ExtendSerializer, request)

    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: str) -> Response:
        """Begin it now."""
        return self._do(operations.start_maintenance, DeedSerializer, request)

    @action(detail=True, methods=["post"])
    def verify(self, request: Request, pk: str) -> Response:
        """Say that the work is done and is being checked."""
        return self._do(operations.verify_maintenance, DeedSerializer, request)

    @action(detail=True, methods=["post"])
    def finish(self, request: Request, pk: str) -> Response:
        """End it now."""
        return self._do(operations.finish_maintenance, DeedSerializer, request)

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Call it off."""
        return self._do(operations.cancel_maintenance, DeedSerializer, request)

    @action(detail=True, methods=["get", "post"])
    def updates(self, request: Request, pk: str) -> Response:
        """Read what customers were told, or tell them more."""
        maintenance = self.get_object()
        if request.method == "GET":
            told = MaintenanceUpdateSerializer(maintenance.updates.newest_first(), many=True)
            return Response({"results": told.data})
        asked = PostSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        update = operations.post_maintenance_update(
            **asked.validated_data,
            maintenance_id=maintenance.pk,
            at=timezone.now(),
            author=_author(request),
        )
        return Response(MaintenanceUpdateSerializer(update).data, status.HTTP_201_CREATED)

    def _do(
        self, deed: Any, serializer: type[serializers.Serializer[Any]], request: Request
    ) -> Response:
        asked = serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        maintenance = deed(
            **asked.validated_data,
            maintenance_id=self.get_object().pk,
            at=timezone.now(),
            author=_author(request),
        )
        return _shown(maintenance)


def _shown(maintenance: Maintenance, code: int = status.HTTP_200_OK) -> Response:
    return Response(MaintenanceSerializer(maintenance).data, status=code)


def _author(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user
