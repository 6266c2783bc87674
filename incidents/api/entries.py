"""Single entries: read, changed, taken off and brought back; nobody's words overwritten unseen."""

from dataclasses import replace
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils import timezone
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from incidents import operations
from incidents.api.serializers import MAY_BE_TOLD, WRITTEN, EntrySerializer, EvidenceSerializer
from incidents.models import Evidence, Incident, TimelineEntry
from incidents.values import LONGEST_TEXT, Milestone, Outcome, Precision, When

_TIME = ("at", "until", "precision", "approx", "said")


class EditEntrySerializer(serializers.Serializer[Any]):
    """What may be changed. What is not sent stays; a time is sent whole."""

    version = serializers.IntegerField(help_text="The version that was read.")
    text = serializers.CharField(required=False, max_length=LONGEST_TEXT)
    at = serializers.DateTimeField(required=False, allow_null=True)
    until = serializers.DateTimeField(required=False, allow_null=True)
    precision = serializers.ChoiceField(choices=Precision.choices, required=False)
    approx = serializers.BooleanField(required=False)
    said = serializers.CharField(required=False, allow_blank=True, max_length=200)
    kind = serializers.ChoiceField(choices=WRITTEN, required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=40), required=False)
    outcome = serializers.ChoiceField(choices=Outcome.choices, required=False, allow_blank=True)
    milestone = serializers.ChoiceField(choices=Milestone.choices, required=False, allow_blank=True)
    moves_from = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="The entry that marks the milestone, for it to be taken off there.",
    )
    is_public = serializers.BooleanField(required=False, help_text=MAY_BE_TOLD)
    is_pinned = serializers.BooleanField(required=False)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=200)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Put the parts of the time together, as ``when``, if any of them was sent."""
        time = {name: attrs.pop(name) for name in _TIME if name in attrs}
        if time.get("precision") == Precision.UNKNOWN:
            return attrs | {"when": When.unknown(time.get("said", ""))}
        if time and time.get("at") is None:
            raise serializers.ValidationError({"at": "Send the whole time: say when it began."})
        return attrs | ({"when": When(**time)} if time else {})


class VersionSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(help_text="The version that was read.")


class FileSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(allow_empty_file=True)
    caption = serializers.CharField(default="", allow_blank=True, max_length=200)
    sha256 = serializers.RegexField(
        "^[0-9a-fA-F]{64}$",
        default="",
        allow_blank=True,
        help_text="What it is, for a file that changes on the way to be refused.",
    )


class EntryViewSet(mixins.RetrieveModelMixin, viewsets.GenericViewSet[TimelineEntry]):
    """Entries of every timeline that whoever asks may know of, deleted ones included."""

    serializer_class = EntrySerializer

    def get_queryset(self) -> QuerySet[TimelineEntry]:
        seen = Incident.objects.seen_by(_author(self.request))
        live = Evidence.objects.live().order_by("pk")
        return TimelineEntry.objects.filter(incident__in=seen).prefetch_related(
            Prefetch("evidence", queryset=live)
        )

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change an entry, if it still has the version that was read."""
        entry = self.get_object()
        asked = EditEntrySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        changes = dict(asked.validated_data)
        if when := changes.get("when"):
            # The zone in which it was said first: a day begins and ends there.
            changes["when"] = replace(when, tz=entry.tz)
        operations.edit_entry(
            **changes,
            entry_id=entry.pk,
            at=timezone.now(),
            author=_author(request),
        )
        return Response(EntrySerializer(self.get_object()).data)

    def destroy(self, request: Request, pk: str) -> Response:
        """Take an entry off the timeline, if it still has the version that was read."""
        entry = self.get_object()
        asked = VersionSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        operations.delete_entry(
            entry_id=entry.pk,
            at=timezone.now(),
            author=_author(request),
            version=asked.validated_data["version"],
        )
        return Response(status=status.HTTP_204_NO_CONTENT)

    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        """Bring an entry back."""
        operations.restore_entry(
            entry_id=self.get_object().pk, at=timezone.now(), author=_author(request)
        )
        return Response(EntrySerializer(self.get_object()).data)

    @action(detail=True, methods=["post"], parser_classes=[MultiPartParser])
    def evidence(self, request: Request, pk: str) -> Response:
        """Attach a file, judged as at the desk by what it holds."""
        entry = self.get_object()
        asked = FileSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        file = asked.validated_data["file"]
        piece = operations.add_file(
            **asked.validated_data,
            name=file.name,
            entry_id=entry.pk,
            at=timezone.now(),
            author=_author(request),
        )
        return Response(EvidenceSerializer(piece).data, status=status.HTTP_201_CREATED)


def _author(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user
