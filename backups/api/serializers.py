"""What programs send and get of policies: the words of the code, spans in seconds."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any

from rest_framework import serializers

from backups.models import DrillAlarm, PolicyChange
from backups.models.policies import SCHEDULE_LENGTH
from backups.operations import MOST_WORDS
from backups.options.terms import Named, Terms, Window, in_words
from backups.queries import (
    NotRegistered,
    named,
    recovery_target_named,
    storage_location_named,
)

_LONGEST_SECONDS = 366 * 100 * 24 * 3600
_MOST_WINDOWS = 50


class Seconds(serializers.IntegerField):
    """A span, in whole seconds."""

    def to_internal_value(self, data: Any) -> Any:
        seconds = super().to_internal_value(data)
        if not 1 <= seconds <= _LONGEST_SECONDS:
            raise serializers.ValidationError(f"A span has 1 to {_LONGEST_SECONDS} seconds.")
        return timedelta(seconds=seconds)

    def to_representation(self, value: Any) -> int:
        return int(value.total_seconds())


class NamedField(serializers.CharField):
    """Another row, by its name."""

    def __init__(self, *, finder: Any, **options: Any) -> None:
        self._finder = finder
        super().__init__(max_length=60, allow_null=True, required=False, **options)

    def to_internal_value(self, data: Any) -> Any:
        name = super().to_internal_value(data)
        try:
            return named(self._finder(name))
        except NotRegistered as refusal:
            raise serializers.ValidationError(str(refusal)) from refusal

    def run_validators(self, value: Any) -> None:
        super().run_validators(value.name if isinstance(value, Named) else value)

    def to_representation(self, value: Any) -> str:
        return str(value)


class WindowSerializer(serializers.Serializer[Any]):
    schedule = serializers.CharField(max_length=SCHEDULE_LENGTH)
    lasts = Seconds()
    reason = serializers.CharField(max_length=200)


class TermsSerializer(serializers.Serializer[Any]):
    """Everything that a policy says, its database's objectives with it."""

    tz = serializers.CharField(max_length=64, required=False)
    full_schedule = serializers.CharField(
        max_length=SCHEDULE_LENGTH, allow_blank=True, required=False
    )
    incremental_schedule = serializers.CharField(
        max_length=SCHEDULE_LENGTH, allow_blank=True, required=False
    )
    archives_log = serializers.BooleanField(required=False)
    may_lose = Seconds(allow_null=True, required=False)
    back_within = Seconds(allow_null=True, required=False)
    keep_for = Seconds(allow_null=True, required=False)
    keep_fulls = serializers.IntegerField(
        min_value=1, max_value=10_000, allow_null=True, required=False
    )
    wants_encryption = serializers.BooleanField(required=False)
    replicate_to = NamedField(finder=storage_location_named)
    replica_lag_at_most = Seconds(allow_null=True, required=False)
    read_all_within = Seconds(required=False)
    drill_schedule = serializers.CharField(
        max_length=SCHEDULE_LENGTH, allow_blank=True, required=False
    )
    drill_target = NamedField(finder=recovery_target_named)
    drill_alarm = serializers.ChoiceField(choices=DrillAlarm.values, required=False)
    windows = WindowSerializer(many=True, required=False)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := sorted(set(data) - set(self.fields))):
            # Dropped in silence it would be believed to hold.
            raise serializers.ValidationError(
                {name: ["A policy says nothing of this."] for name in map(str, unknown)}
            )
        return super().to_internal_value(data)

    def validate_windows(self, value: list[dict[str, Any]]) -> tuple[Window, ...]:
        """Return them as a policy's terms hold them.

        :raises ValidationError: if nobody could mean so many
        """
        if len(value) > _MOST_WINDOWS:
            raise serializers.ValidationError(f"At most {_MOST_WINDOWS} windows are kept.")
        return tuple(Window(**each) for each in value)


class EffectSerializer(serializers.Serializer[Any]):
    """A change of a policy that is only looked at."""

    terms = TermsSerializer()


class ChangeSerializer(EffectSerializer):
    """A change of a policy: what is to be said otherwise, from which version on, and why."""

    version = serializers.IntegerField(min_value=0)
    why = serializers.CharField(max_length=MOST_WORDS)
    review_on = serializers.DateField(required=False, allow_null=True, default=None)
    incident = serializers.IntegerField(required=False, allow_null=True, default=None)


class VersionSerializer(serializers.ModelSerializer[PolicyChange]):
    by = serializers.StringRelatedField[Any]()
    reviewed_by = serializers.StringRelatedField[Any]()

    class Meta:
        model = PolicyChange
        fields = [
            "id", "version", "at", "by", "why", "changes", "effect", "effect_words", "review_on",
            "reviewed_at", "reviewed_by", "review_words",
        ]  # fmt: skip


def shown_terms(terms: Terms) -> dict[str, Any]:
    """Return terms as they may be sent back, and as people read them."""
    values = {each.name: getattr(terms, each.name) for each in fields(Terms)}
    return {"terms": TermsSerializer(values).data, "in_words": in_words(terms)}
