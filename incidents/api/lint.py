"""The lint for programs: what it finds in a record, and deciding about it."""

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from incidents import operations, queries
from incidents.models import Incident, LintDismissal
from incidents.queries import Judged


class DismissSerializer(serializers.Serializer[Any]):
    """A finding as it was read, and why it may stand."""

    code = serializers.CharField(max_length=60)
    subject = serializers.CharField(max_length=100_000, allow_blank=True, default="")
    reason = serializers.CharField(max_length=1000)


class LintViewSet(viewsets.ViewSet):
    """What does not hold together in one incident's record."""

    def list(self, request: Request, incident_pk: str) -> Response:
        """List the findings, errors first, each with the decision about it."""
        incident = _incident(request, incident_pk)
        found = queries.lint_findings(incident.pk)
        return Response([_shown(judged) for judged in found])

    def create(self, request: Request, incident_pk: str) -> Response:
        """Let a finding stand, with the reason. Sent again, the reason is replaced."""
        incident = _incident(request, incident_pk)
        asked = DismissSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        finding = queries.lint_finding(incident.pk, code=said["code"], subject=said["subject"])
        dismissal = operations.dismiss_finding(
            incident_id=incident.pk,
            code=finding.code,
            subject=finding.subject,
            reason=said["reason"],
            evidence=f"{finding.message} {finding.evidence}".strip(),
            at=timezone.now(),
            author=_author(request),
        )
        return Response(_decision(dismissal), status=status.HTTP_201_CREATED)

    def destroy(self, request: Request, incident_pk: str, pk: str) -> Response:
        """Take a decision back."""
        incident = _incident(request, incident_pk)
        dismissal = get_object_or_404(LintDismissal, incident=incident, pk=pk)
        operations.undismiss_finding(
            dismissal_id=dismissal.pk, at=timezone.now(), author=_author(request)
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


def _shown(judged: Judged) -> dict[str, Any]:
    decision = judged.dismissal
    return judged.finding.as_json() | {"dismissal": _decision(decision) if decision else None}


def _decision(dismissal: LintDismissal) -> dict[str, Any]:
    return {
        "id": dismissal.pk,
        "code": dismissal.code,
        "subject": dismissal.subject,
        "reason": dismissal.reason,
        "dismissed_by": dismissal.dismissed_by.username if dismissal.dismissed_by else None,
        "dismissed_at": dismissal.dismissed_at,
    }


def _incident(request: Request, pk: str) -> Incident:
    return get_object_or_404(Incident.objects.seen_by(_author(request)), pk=pk)


def _author(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user
