"""The postmortem of an incident, as clients know it: one text, as a draft and as published."""

from typing import Any

from django.db import transaction
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from incidents import operations
from incidents.models import Incident, Postmortem, PostmortemSection
from incidents.values import PostmortemState, SectionKind
from statuspage.api.base import gone
from statuspage.api.faults import Unfit
from statuspage.api.incidents import IncidentView
from statuspage.documents.moments import iso, iso_or_none


class PostmortemView(IncidentView):
    def incident(self, public_id: str) -> Incident:
        row = self.one(public_id)
        if not isinstance(row, Incident):
            raise NotFound("A maintenance has no postmortem.")
        return row

    def postmortem(self, incident: Incident) -> Postmortem:
        """Return the postmortem, if a text for customers has been begun.

        :raises NotFound: if there is none
        """
        found = Postmortem.objects.filter(incident=incident).first()
        if found is None or not (_sections(found) or found.published_at):
            raise NotFound("This incident has no postmortem for customers.")
        return found

    def said(self, incident: Incident) -> Response:
        return Response(self._object(self.postmortem(incident)))

    def _object(self, found: Postmortem) -> dict[str, Any]:
        zone = self.facts.zone
        sections = _sections(found)
        edited = max((row.edited_at for row in sections if row.edited_at), default=None)
        return {
            "preview_key": None,
            "body": found.public_body or None,
            "body_updated_at": iso_or_none(found.published_at, zone),
            "body_draft": "\n\n".join(row.body for row in sections) or None,
            "body_draft_updated_at": iso_or_none(edited, zone),
            "published_at": iso_or_none(found.published_at, zone),
            "notify_subscribers": False,
            "notify_twitter": False,
            "custom_tweet": None,
            "created_at": iso(found.created_at, zone),
            "updated_at": iso(edited or found.created_at, zone),
        }


class PostmortemOne(PostmortemView):
    def get(self, _request: Request, incident: str, **_ids: str) -> Response:
        return self.said(self.incident(incident))

    def put(self, _request: Request, incident: str, **_ids: str) -> Response:
        """Write the text for customers. They read nothing of it yet."""
        text = self.body("postmortem").text("body_draft").strip()
        if not text:
            raise Unfit("body_draft can't be blank.")
        row = self.incident(incident)
        with transaction.atomic():
            section = self._section(row)
            operations.edit_section(
                section_id=section.pk, title=section.title, body=text, is_public=True,
                at=self.at, author=self.user,
            )  # fmt: skip
        return self.said(row)

    def delete(self, _request: Request, incident: str, **_ids: str) -> Response:
        """Take the text off the page, and out of the postmortem; it can be brought back."""
        row = self.incident(incident)
        found = self.postmortem(row)
        with transaction.atomic():
            if found.published_at is not None:
                operations.withdraw_postmortem(incident_id=row.pk, at=self.at, author=self.user)
            for section in _sections(found):
                operations.remove_section(section_id=section.pk, at=self.at, author=self.user)
        return gone()

    def _section(self, row: Incident) -> PostmortemSection:
        """Return the section for customers, begun or brought back if need be."""
        found = Postmortem.objects.filter(incident=row).first()
        if found is None or not found.sections.exists():
            found = operations.begin_postmortem(incident_id=row.pk, at=self.at, author=self.user)
        rows = found.sections.filter(kind=SectionKind.CUSTOMER).order_by("deleted_at", "position")
        section = rows.live().first() or rows.first()
        if section is None:
            return operations.add_section(
                incident_id=row.pk,
                title=str(SectionKind.CUSTOMER.label),
                at=self.at,
                author=self.user,
            )
        if section.deleted_at is not None:
            operations.bring_section_back(section_id=section.pk, at=self.at, author=self.user)
        return section


class PostmortemPublish(PostmortemView):
    def put(self, _request: Request, incident: str, **_ids: str) -> Response:
        """Let customers read it, once it has the approval that its severity asks for."""
        row = self.incident(incident)
        found = self.postmortem(row)
        with transaction.atomic():
            if found.state == PostmortemState.DRAFT:
                operations.ask_for_review(incident_id=row.pk, at=self.at, author=self.user)
            if found.state in (PostmortemState.DRAFT, PostmortemState.IN_REVIEW):
                operations.approve_postmortem(incident_id=row.pk, at=self.at, approver=self.user)
            if found.state != PostmortemState.PUBLISHED:
                operations.publish_postmortem(incident_id=row.pk, at=self.at, author=self.user)
        return self.said(row)


class PostmortemRevert(PostmortemView):
    def put(self, _request: Request, incident: str, **_ids: str) -> Response:
        """Take what was published off the page. Asked again, nothing happens."""
        row = self.incident(incident)
        if self.postmortem(row).published_at is not None:
            operations.withdraw_postmortem(incident_id=row.pk, at=self.at, author=self.user)
        return self.said(row)


def _sections(found: Postmortem) -> list[PostmortemSection]:
    return list(found.sections.live().filter(is_public=True).in_order())
