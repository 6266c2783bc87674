"""What programs send and get. Plain: they validate and show, and never save."""

from typing import Any

from rest_framework import serializers

from incidents.models import Component, Evidence, Incident, StatusUpdate, TimelineEntry
from incidents.operations import PastUpdate
from incidents.queries import shows_as_working, usual_zone
from incidents.values import (
    LONGEST_TEXT,
    ComponentStatus,
    EntryKind,
    IncidentKind,
    Milestone,
    Outcome,
    Phase,
    Precision,
    Severity,
    Visibility,
    When,
    zone,
)

MAY_BE_TOLD = (
    "Whether it may be told to customers: proposals for updates draw on it. It is on no page."
)
# What customers are told is posted as an update, and leaves its entry by itself.
WRITTEN = [choice for choice in EntryKind.choices if choice[0] != EntryKind.UPDATE]


class IncidentSerializer(serializers.ModelSerializer[Incident]):
    class Meta:
        model = Incident
        fields = [
            "id", "ref", "public_id", "title", "summary", "severity", "phase", "kind",
            "visibility", "tz", "started_at", "detected_at", "declared_at", "first_update_at",
            "mitigated_at", "recovered_at", "resolved_at", "created_at", "updated_at",
        ]  # fmt: skip


class EvidenceSerializer(serializers.ModelSerializer[Evidence]):
    class Meta:
        model = Evidence
        fields = ["id", "url", "name", "content_type", "size", "sha256", "caption", "created_at"]


class EntrySerializer(serializers.ModelSerializer[TimelineEntry]):
    evidence = EvidenceSerializer(many=True, read_only=True)

    class Meta:
        model = TimelineEntry
        fields = [
            "id", "at", "until", "precision", "approx", "said", "kind", "text", "tags", "outcome",
            "milestone", "is_public", "is_pinned", "source", "external_id", "recorded_at",
            "edited_at", "deleted_at", "version", "evidence",
        ]  # fmt: skip


WORKS = (
    "Customers read of a grave incident while none of its components shows it. Send the next "
    "update with component_statuses."
)


def warnings_of(incident: Incident) -> list[dict[str, str]]:
    """Return what a program should put right after an update of this incident went out."""
    return [{"code": "shows-as-working", "message": WORKS}] if shows_as_working(incident) else []


class UpdateSerializer(serializers.ModelSerializer[StatusUpdate]):
    class Meta:
        model = StatusUpdate
        fields = ["id", "public_id", "body", "phase", "state", "published_at", "edited_at"]


def _exists(name: str) -> None:
    try:
        zone(name)
    except ValueError as fault:
        raise serializers.ValidationError(str(fault)) from fault


def _component_statuses(**kwargs: Any) -> serializers.DictField:
    return serializers.DictField(
        child=serializers.ChoiceField(choices=ComponentStatus.choices),
        help_text="Status by the component's public id.",
        **{"default": dict} | kwargs,
    )


class DeclareSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=140)
    severity = serializers.ChoiceField(choices=Severity.choices)
    summary = serializers.CharField(default="", allow_blank=True, max_length=LONGEST_TEXT)
    body = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=LONGEST_TEXT,
        help_text="What customers are told at once, if anything.",
    )
    started_at = serializers.DateTimeField(default=None, allow_null=True)
    component_statuses = _component_statuses()
    dedup_key = serializers.CharField(default="", allow_blank=True, max_length=200)
    kind = serializers.ChoiceField(
        choices=[IncidentKind.LIVE, IncidentKind.DRILL], default=IncidentKind.LIVE
    )
    visibility = serializers.ChoiceField(
        choices=Visibility.choices,
        default=Visibility.PUBLIC,
        help_text="A private one is for whoever declares it, and whom they let in.",
    )
    tz = serializers.CharField(
        default=usual_zone,
        max_length=64,
        validators=[_exists],
        help_text="In which its times are read at the desk; that of the first page, if absent.",
    )
    deliver_notifications = serializers.BooleanField(
        default=True, help_text="Whether those who follow the page are sent the body."
    )

    def validate_component_statuses(self, value: dict[str, str]) -> dict[int, ComponentStatus]:
        """Turn public ids into ours.

        :raises ValidationError: if there is no component with such an id
        """
        return components_by_our_id(value)


class ReopenSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=300)
    component_statuses = _component_statuses(default=None, allow_null=True)

    def validate_component_statuses(
        self, value: dict[str, str] | None
    ) -> dict[int, ComponentStatus] | None:
        """Turn public ids into ours; None for how the components were until the end.

        :raises ValidationError: if there is no component with such an id
        """
        return None if value is None else components_by_our_id(value)


class AddEntrySerializer(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=LONGEST_TEXT)
    at = serializers.DateTimeField(
        default=None, allow_null=True, help_text="When it was. Now, if absent."
    )
    until = serializers.DateTimeField(default=None, allow_null=True)
    precision = serializers.ChoiceField(choices=Precision.choices, default=Precision.MINUTE)
    approx = serializers.BooleanField(default=False)
    said = serializers.CharField(default="", allow_blank=True, max_length=200)
    kind = serializers.ChoiceField(choices=WRITTEN, default=EntryKind.EVENT)
    tags = serializers.ListField(child=serializers.CharField(max_length=40), default=list)
    outcome = serializers.ChoiceField(choices=Outcome.choices, default="", allow_blank=True)
    milestone = serializers.ChoiceField(choices=Milestone.choices, default="", allow_blank=True)
    moves_from = serializers.IntegerField(
        default=None,
        allow_null=True,
        help_text="The entry that marks the milestone, for it to be taken off there.",
    )
    is_public = serializers.BooleanField(default=False, help_text=MAY_BE_TOLD)
    external_id = serializers.CharField(default="", allow_blank=True, max_length=200)
    evidence_url = serializers.URLField(
        default="", allow_blank=True, max_length=2000, help_text="A link to what shows it."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Put the parts of the time together, as ``when``; None where no time is given."""
        time = {name: attrs.pop(name) for name in ("at", "until", "precision", "approx", "said")}
        if time["at"] is None and (time["until"] or time["approx"]):
            raise serializers.ValidationError({"at": "Say when it began, too."})
        if time["precision"] == Precision.UNKNOWN:
            attrs["when"] = When.unknown(time["said"])
        else:
            attrs["when"] = When(**time) if time["at"] else None
        return attrs


class PostUpdateSerializer(serializers.Serializer[Any]):
    body = serializers.CharField(max_length=LONGEST_TEXT)
    phase = serializers.ChoiceField(choices=Phase.choices)
    next_update_at = serializers.DateTimeField(default=None, allow_null=True)
    component_statuses = _component_statuses()
    idempotency_key = serializers.CharField(default="", allow_blank=True, max_length=200)
    deliver_notifications = serializers.BooleanField(
        default=True, help_text="Whether those who follow the page are sent it."
    )

    def validate_component_statuses(self, value: dict[str, str]) -> dict[int, ComponentStatus]:
        """Turn public ids into ours.

        :raises ValidationError: if there is no component with such an id
        """
        return components_by_our_id(value)


class PastUpdateSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    phase = serializers.ChoiceField(choices=Phase.choices)
    body = serializers.CharField(max_length=LONGEST_TEXT)


class BackfillSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=140)
    severity = serializers.ChoiceField(choices=Severity.choices)
    summary = serializers.CharField(default="", allow_blank=True, max_length=LONGEST_TEXT)
    began_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField()
    updates = PastUpdateSerializer(many=True, default=list)
    components = serializers.DictField(
        child=serializers.ChoiceField(choices=ComponentStatus.choices),
        default=dict,
        help_text="The worst status that it showed, by the component's public id.",
    )
    corrects_history = serializers.BooleanField(default=True)
    tz = serializers.CharField(default=usual_zone, max_length=64, validators=[_exists])
    visibility = serializers.ChoiceField(choices=Visibility.choices, default=Visibility.PUBLIC)

    def validate_components(self, value: dict[str, str]) -> dict[int, ComponentStatus]:
        """Turn public ids into ours.

        :raises ValidationError: if there is no component with such an id
        """
        return components_by_our_id(value)

    def validate_updates(self, value: list[dict[str, Any]]) -> list[PastUpdate]:
        return [PastUpdate(**update | {"phase": Phase(update["phase"])}) for update in value]


def components_by_our_id(value: dict[str, str]) -> dict[int, ComponentStatus]:
    """Return the statuses by our ids for those by public ids.

    :raises ValidationError: if there is no component with such an id
    """
    known = dict(Component.objects.filter(public_id__in=value).values_list("public_id", "pk"))
    if missing := sorted(set(value) - set(known)):
        raise serializers.ValidationError(f"There is no component {', '.join(missing)}.")
    return {known[name]: ComponentStatus(status) for name, status in value.items()}
