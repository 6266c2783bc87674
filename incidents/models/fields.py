"""Pieces that several tables share: public names of rows, and CHECKs of vocabularies."""

import secrets
from typing import Any

from django.db import models
from django.db.models import Q

# No vowels, so that no words appear; the alphabet and length of the Statuspage ids.
_ALPHABET = "0123456789bcdfghjklmnpqrstvwxyz"


def new_public_id() -> str:
    """Return an unguessable id of twelve characters, as the public API shows it."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(12))


def is_known(model: str, field: str, choices: type[models.TextChoices]) -> models.CheckConstraint:
    """Return the constraint that a field holds a word of its vocabulary."""
    return models.CheckConstraint(
        name=f"{model}_{field}_is_known", condition=Q(**{f"{field}__in": choices.values})
    )


def is_known_or_empty(
    model: str, field: str, choices: type[models.TextChoices]
) -> models.CheckConstraint:
    """Return the same constraint for a field that may be empty."""
    return models.CheckConstraint(
        name=f"{model}_{field}_is_known",
        condition=Q(**{f"{field}__in": [*choices.values, ""]}),
    )


def ends_after_it_starts(model: str, prefix: str = "") -> models.CheckConstraint:
    """Return the constraint that a range does not end before it begins."""
    conditions: dict[str, Any] = {f"{prefix}until__gte": models.F(f"{prefix}at")}
    return models.CheckConstraint(
        name=f"{model}_{prefix}until_is_not_before_at",
        condition=Q(**{f"{prefix}until__isnull": True}) | Q(**conditions),
        violation_error_message="The end is before the start.",
    )
