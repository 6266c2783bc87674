"""Action items by API: listed across incidents, added, changed, moved from state to state."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from incidents import operations, queries
from incidents.models import ActionItem, Incident
from incidents.queries import ActionNarrowing
from incidents.values import (
    LONGEST_TEXT,
    ActionKind,
    ActionState,
    Precision,
    Priority,
    Severity,
    When,
)


class ActionSerializer(serializers.ModelSerializer[ActionItem]):
    owner = serializers.CharField(source="owner.username", default=None)
    addresses = serializers.SerializerMethodField()

    class Meta:
        model = ActionItem
        fields = [
            "id", "incident", "text", "kind", "state", "state_reason", "owner", "owner_label",
            "priority", "due_at", "due_until", "due_precision", "due_approx", "due_said",
            "done_at", "done_until", "done_precision", "done_approx", "done_said", "proof",
            "check_by", "tracker_url", "is_public", "addresses", "created_at", "edited_at",
            "version",
        ]  # fmt: skip

    def get_addresses(self, row: ActionItem) -> list[int]:
        return sorted(cause.pk for cause in row.addresses.all() if cause.deleted_at is None)


class WhenSerializer(serializers.Serializer[Any]):
    """A time as it is known: a day is its first instant in the incident's zone."""

    at = serializers.DateTimeField()
    until = serializers.DateTimeField(default=None, allow_null=True)
    precision = serializers.ChoiceField(choices=Precision.choices, default=Precision.DAY)
    approx = serializers.BooleanField(default=False)
    said = serializers.CharField(default="", allow_blank=True, max_length=200)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["until"] is not None and attrs["until"] < attrs["at"]:
            raise serializers.ValidationError({"until": "The end is before the start."})
        return attrs


class _ActionFields(serializers.Serializer[Any]):
    """What is said of an action item by whoever adds or changes one."""

    text = serializers.CharField(max_length=LONGEST_TEXT)
    kind = serializers.ChoiceField(choices=ActionKind.choices, required=False, allow_blank=True)
    owner = serializers.SlugRelatedField(
        slug_field="username",
        queryset=User.objects.filter(is_active=True),
        required=False,
        allow_null=True,
    )
    owner_label = serializers.CharField(required=False, allow_blank=True, max_length=140)
    priority = serializers.ChoiceField(choices=Priority.choices, required=False)
    due = WhenSerializer(required=False, allow_null=True)
    addresses = serializers.ListField(
        child=serializers.IntegerField(), required=False, help_text="Ids of causes."
    )
    check_by = serializers.CharField(required=False, allow_blank=True, max_length=300)
    is_public = serializers.BooleanField(
        required=False, help_text="Whether customers see its text, state and dates on the page."
    )


class AddActionSerializer(_ActionFields):
    incident = serializers.PrimaryKeyRelatedField(queryset=Incident.objects.none())

    def __init__(self, *args: Any, incidents: QuerySet[Incident], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["incident"].queryset = incidents  # type: ignore[attr-defined]


class EditActionSerializer(_ActionFields):
    text = serializers.CharField(required=False, max_length=LONGEST_TEXT)
    tracker_url = serializers.URLField(required=False, allow_blank=True, max_length=500)
    version = serializers.IntegerField(help_text="The version that was read.")


class MoveActionSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=ActionState.choices)
    reason = serializers.CharField(default="", allow_blank=True, max_length=300)
    proof = serializers.CharField(
        default="", allow_blank=True, max_length=500, help_text="A link, or a few words."
    )
    done = WhenSerializer(
        default=None, allow_null=True, help_text="The day or days; today, if absent."
    )
    version = serializers.IntegerField(help_text="The version that was read.")


class FilterSerializer(serializers.Serializer[Any]):
    """What the list is narrowed to. Without a state: what is not finished."""

    words = serializers.CharField(default="", max_length=200)
    state = serializers.ChoiceField(choices=[queries.ANY, *ActionState.values], default="")
    owner = serializers.CharField(default="")
    priority = serializers.ChoiceField(choices=Priority.choices, default="")
    kind = serializers.ChoiceField(choices=ActionKind.choices, default="")
    severity = serializers.ChoiceField(choices=Severity.choices, default="")
    incident = serializers.IntegerField(default=None)
    due_before = serializers.DateField(default=None)
    overdue = serializers.BooleanField(default=False)
    beyond = serializers.BooleanField(default=False)
    public = serializers.BooleanField(default=False)

    def validate_owner(self, value: str) -> str:
        """Turn the name of a person into their id; "me" and "none" are themselves.

        :raises ValidationError: if nobody has this name
        """
        if value in ("", queries.MINE, queries.NOBODY):
            return value
        found = User.objects.filter(username=value).values_list("pk", flat=True).first()
        if found is None:
            raise serializers.ValidationError(f"There is nobody called {value}.")
        return str(found)


class SoonestFirst(CursorPagination):
    ordering = ("due_ends_at", "id")
    page_size = 50


class ActionViewSet(mixins.RetrieveModelMixin, viewsets.GenericViewSet[ActionItem]):
    """Action items of every incident that whoever asks may know of."""

    serializer_class = ActionSerializer
    pagination_class = SoonestFirst

    def get_queryset(self) -> QuerySet[ActionItem]:
        everything = ActionNarrowing(state=queries.ANY)
        rows = queries.actions(_author(self.request), everything, at=timezone.now())
        return rows.prefetch_related("addresses")

    def list(self, request: Request) -> Response:
        """List what is not finished, or what is asked for, the soonest due first."""
        asked = _checked(FilterSerializer(data=request.query_params))
        rows = queries.actions(_author(request), ActionNarrowing(**asked), at=timezone.now())
        page = self.paginate_queryset(rows.prefetch_related("addresses"))
        return self.get_paginated_response(ActionSerializer(page, many=True).data)

    def create(self, request: Request) -> Response:
        """Write down what shall be done."""
        seen = Incident.objects.seen_by(_author(request))
        asked = _checked(AddActionSerializer(data=request.data, incidents=seen))
        row = operations.add_action_item(
            **_meant(asked, asked["incident"]),
            incident_id=asked.pop("incident").pk,
            at=timezone.now(),
            author=_author(request),
        )
        return Response(self._shown(row), status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change an action item, if it still has the version that was read."""
        row = self.get_object()
        asked = _checked(EditActionSerializer(data=request.data))
        if "due" in asked and asked["due"] is None:
            asked["due"] = {"precision": Precision.UNKNOWN}
        operations.edit_action_item(
            **_meant(asked, row.incident),
            action_id=row.pk,
            at=timezone.now(),
            author=_author(request),
        )
        return Response(self._shown(row))

    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: str) -> Response:
        """Move an action item to another state."""
        row = self.get_object()
        asked = _checked(MoveActionSerializer(data=request.data))
        operations.move_action_item(
            action_id=row.pk,
            state=ActionState(asked["state"]),
            reason=asked["reason"],
            proof=asked["proof"],
            done=_when(asked["done"], row.incident),
            version=asked["version"],
            at=timezone.now(),
            author=_author(request),
        )
        return Response(self._shown(row))

    def _shown(self, row: ActionItem) -> Any:
        return ActionSerializer(self.get_queryset().get(pk=row.pk)).data


def _meant(asked: dict[str, Any], incident: Incident) -> dict[str, Any]:
    """Return what the operations take of what was sent, but for the incident."""
    said = {name: value for name, value in asked.items() if name != "incident"}
    if "due" in said:
        said["due"] = _when(said["due"], incident)
    return said


def _when(sent: dict[str, Any] | None, incident: Incident) -> When | None:
    # Said by a program, in the zone of its incident: a day begins and ends there.
    return When(**sent, tz=incident.tz) if sent else None


def _checked(serializer: Any) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _author(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user
