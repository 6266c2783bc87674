"""Pieces that several tables share: public names of rows, and CHECKs of vocabularies."""

import secrets
from functools import cache
from typing import Any

from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q
from django.db.models.functions import Left

# PostgreSQL refuses to index the words of a text once they fill 1 MB. A longer one is found by what
# it says first.
SEARCHED = 50_000

# No vowels, so that no words appear; the alphabet and length of the Statuspage ids.
_ALPHABET = "0123456789bcdfghjklmnpqrstvwxyz"


def new_public_id() -> str:
    """Return an unguessable id of twelve characters, as the public API shows it."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(12))


class Worded(models.Model):
    """A table whose choices are said in words, each by a look into a dictionary.

    Django looks for the word of one choice by translating the words of all of them.
    """

    class Meta:
        abstract = True

    def _get_FIELD_display(self, field: models.Field[Any, Any]) -> str:  # noqa: N802 - Django's
        value = getattr(self, field.attname)
        return str(_words(field).get(value, value))


@cache
def _words(field: models.Field[Any, Any]) -> dict[Any, Any]:
    return dict(field.flatchoices)


def words_of(*names: str) -> SearchVector:
    """Return the words in these columns. An index serves a search that asks for the very same.

    Words are kept as they were written: record and search may be in any language.
    """
    return SearchVector(*(Left(name, SEARCHED) for name in names), config="simple")


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
