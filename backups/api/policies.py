"""Policies for programs: the same operations, and the same look before saving, as the desk has."""

from dataclasses import fields
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from backups import operations, queries
from backups.api.serializers import (
    ChangeSerializer,
    EffectSerializer,
    TermsSerializer,
    VersionSerializer,
    shown_terms,
)
from backups.models import BackupPolicy, Database
from backups.options.terms import Terms

_VERSIONS = 50


class ByDatabase(CursorPagination):
    ordering = "id"
    page_size = 50


class PolicyViewSet(viewsets.GenericViewSet[Database]):
    """The backup policies of the registered databases, by the numbers of these."""

    pagination_class = ByDatabase
    serializer_class = TermsSerializer
    lookup_value_regex = r"\d{1,9}"

    def get_queryset(self) -> QuerySet[Database]:
        return Database.objects.select_related("storage")

    def list(self, request: Request) -> Response:
        """Return each database with its policy as it is now."""
        page = self.paginate_queryset(self.get_queryset())
        assert page is not None
        return self.get_paginated_response([_policy(database) for database in page])

    def retrieve(self, request: Request, pk: str) -> Response:
        """Return a database's policy, what it promises, and its versions."""
        return Response(_whole(self.get_object(), at=timezone.now()))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Say some of it otherwise; what is not named stays."""
        return self._changed(request, {})

    def update(self, request: Request, pk: str) -> Response:
        """Say all of it anew; what is not named is as in a policy that says nothing."""
        return self._changed(request, _usual())

    @action(detail=True, methods=["post"])
    def effect(self, request: Request, pk: str) -> Response:
        """Say what a change would do; nothing is changed."""
        database = self.get_object()
        asked = EffectSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        preview = operations.preview_policy(
            database_id=database.pk, changes=asked.validated_data["terms"], at=timezone.now()
        )
        return Response(
            {
                "version": preview.version,
                "changes": preview.changed,
                "effect": preview.effect.as_document(),
                "words": preview.effect.words,
                "breaks": list(preview.effect.breaks),
            }
        )

    def _changed(self, request: Request, otherwise: dict[str, Any]) -> Response:
        database = self.get_object()
        assert isinstance(request.user, User)
        asked = ChangeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        now = timezone.now()
        change = operations.change_policy(
            database_id=database.pk,
            changes={**otherwise, **said["terms"]},
            why=said["why"],
            by=request.user,
            at=now,
            based_on=said["version"],
            review_on=said["review_on"],
            incident_id=said["incident"],
        )
        # As it is by now: the objectives are the database's.
        answer = _whole(self.get_object(), at=now)
        is_first = change.version == 1
        code = status.HTTP_201_CREATED if is_first else status.HTTP_200_OK
        return Response(answer, status=code)


def _usual() -> dict[str, Any]:
    terms = Terms()
    return {each.name: getattr(terms, each.name) for each in fields(Terms)}


def _policy(database: Database) -> dict[str, Any]:
    policy = queries.policy_of(database.pk)
    terms = queries.terms_of(database) or queries.no_terms(database)
    return {
        "id": database.pk,
        "database": database.name,
        "version": policy.version if policy is not None else 0,
        **shown_terms(terms),
        "due": _due(policy),
    }


def _due(policy: BackupPolicy | None) -> dict[str, datetime | None]:
    if policy is None:
        return dict.fromkeys(("full", "incremental", "drill"))
    return {
        "full": policy.full_due_at,
        "incremental": policy.incremental_due_at,
        "drill": policy.drill_due_at,
    }


def _whole(database: Database, *, at: datetime) -> dict[str, Any]:
    standing = operations.policy_standing(database_id=database.pk, at=at)
    versions = queries.policy_changes(database.pk)[:_VERSIONS]
    return {
        **_policy(database),
        "words": standing.words if standing else "",
        "breaks": list(standing.breaks) if standing else [],
        "outlook": standing.outlook.as_document() if standing else None,
        "versions": VersionSerializer(versions, many=True).data,
    }
