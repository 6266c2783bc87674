"""Deeds on a postmortem: begun from the record, written in sections, reviewed, published."""

from datetime import datetime
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Max

from accounts.models import User
from incidents import account, queries
from incidents.errors import Refused
from incidents.models import (
    Incident,
    Postmortem,
    PostmortemSection,
    Revision,
    SeverityRule,
)
from incidents.operations.notices.telling import tell_review_returned, tell_review_wanted
from incidents.operations.record import (
    announce,
    keep_revision,
    lock_incident,
    refuse_outdated,
)
from incidents.values import IncidentKind, PostmortemState, SectionKind, Severity

_APPROVED = (PostmortemState.APPROVED, PostmortemState.PUBLISHED)
# What each section begins with. What went well and wrong is told from causes and figures; a
# person says the rest.
_BEGINNINGS = {
    SectionKind.SUMMARY: "{{summary}}",
    SectionKind.IMPACT: "{{figures}}\n\n{{impacts}}\n\n{{promises}}",
    SectionKind.TIMELINE: "{{timeline}}",
    SectionKind.CAUSES: "\n\n".join(
        f"{{{{causes {kind}}}}}" for kind in ("trigger", "primary", "contributing", "scale",
                                              "process")
    ),
    SectionKind.WENT_WELL: "It took {{duration detect}} to detect it.\n\n{{causes mitigator}}",
    SectionKind.WENT_WRONG: "It took {{duration first-update}} until customers were told, and "
    "{{duration recover}} to recover.\n\n{{causes risk}}",
    SectionKind.LUCK: "{{causes luck}}",
    SectionKind.ACTIONS: "{{actions}}",
    SectionKind.CUSTOMER: "{{summary}}\n\n{{timeline}}\n\n{{actions}}",
}  # fmt: skip


class PostmortemBegun(Refused):
    code = "postmortem-begun"
    message = "This postmortem has been begun already. Go on where it stands."


class PostmortemStateOther(Refused):
    code = "postmortem-state-other"
    message = (
        "The postmortem is not as far, or farther, by now. Look at what it says and try again."
    )


class PostmortemApprovesOwn(Refused):
    code = "postmortem-approves-own"
    message = (
        "Incidents of this severity want somebody else to approve: you wrote a part of this, or "
        "asked for its review. Ask a person who did neither."
    )


class FindingsLeft(Refused):
    code = "findings-left"
    message = (
        "The record contradicts itself. Mend or dismiss each error of the lint, with a reason, "
        "then approve."
    )


class ReferencesUnknown(Refused):
    code = "references-unknown"
    message = "A public section refers to what customers cannot see. Change it, then publish."


class NothingForCustomers(Refused):
    code = "nothing-for-customers"
    message = "No section is for customers. Mark one as public, then publish."


class SectionSaysTooMuch(Refused):
    code = "section-says-too-much"
    message = "A section has 100,000 characters at most. Put what is longer into another section."


class ReturnWithoutReason(Refused):
    code = "return-without-reason"
    message = "Say why you give it back: whoever wrote it wants to know what to change."


_LONGEST = 100_000


def begin_postmortem(*, incident_id: int, at: datetime, author: User | None) -> Postmortem:
    """Begin the account of an incident: each section filled with references to the record.

    One that was imported keeps its document, and gets the sections beside it.

    :raises PostmortemBegun: if it has sections already
    """
    with transaction.atomic():
        incident = lock_incident(incident_id)
        postmortem = Postmortem.objects.filter(incident=incident).first()
        if postmortem is not None and postmortem.sections.exists():
            raise PostmortemBegun
        if postmortem is None:
            postmortem = Postmortem.objects.create(incident=incident, created_at=at, owner=author)
        PostmortemSection.objects.bulk_create(
            PostmortemSection(
                postmortem=postmortem,
                kind=kind,
                title=str(kind.label),
                body=_BEGINNINGS[kind],
                is_public=kind == SectionKind.CUSTOMER,
                position=float(place),
            )
            for place, kind in enumerate(_BEGINNINGS, start=1)
        )
    return postmortem


def begin_wanted_postmortem(incident: Incident, *, at: datetime) -> None:
    """Begin the account of a locked incident that has just ended, if its severity asks for one.

    One that was begun before goes on. Of a drill, a double or a false alarm none is asked for.
    """
    rule = SeverityRule.objects.in_force(Severity(incident.severity))
    if rule.postmortem_days is None or incident.kind != IncidentKind.LIVE:
        return
    if incident.duplicate_of_id is not None or incident.entries.of_false_alarms().exists():
        return
    begun = PostmortemSection.objects.filter(postmortem__incident=incident)
    if not begun.exists():
        begin_postmortem(incident_id=incident.pk, at=at, author=None)


def add_section(
    *, incident_id: int, title: str, at: datetime, author: User | None, body: str = ""
) -> PostmortemSection:
    """Add a section of one's own behind the others."""
    with transaction.atomic():
        postmortem = _hold(incident_id)
        last = postmortem.sections.aggregate(last=Max("position"))["last"]
        section = PostmortemSection.objects.create(
            postmortem=postmortem,
            title=title,
            body=_tidy(body),
            position=(last or 0.0) + 1.0,
            written_by=author,
            edited_at=at,
        )
        _touch(postmortem, at=at, author=author)
    return section


def edit_section(
    *,
    section_id: int,
    title: str,
    body: str,
    is_public: bool,
    at: datetime,
    author: User | None,
    version: int | None = None,
) -> PostmortemSection:
    """Change what a section says. What it said is kept; an approval is taken back.

    ``version`` is the one that was read; None to overwrite whatever it says.

    :raises EditedMeanwhile: if somebody else has changed it since it was read
    """
    body = _tidy(body)
    with transaction.atomic():
        section, postmortem = _hold_section(section_id)
        refuse_outdated(section.version, version)
        if (section.title, section.body, section.is_public) == (title, body, is_public):
            return section
        _change(section, at=at, author=author, title=title, body=body, is_public=is_public)
        _touch(postmortem, at=at, author=author)
    return section


def undo_section(
    *, section_id: int, at: datetime, author: User | None, version: int
) -> PostmortemSection:
    """Bring back what a section said before its last change; what it says now is kept, too.

    :raises EditedMeanwhile: if it was changed since ``version`` was read
    """
    with transaction.atomic():
        section, postmortem = _hold_section(section_id)
        refuse_outdated(section.version, version)
        kind = ContentType.objects.get_for_model(PostmortemSection)
        kept = Revision.objects.filter(content_type=kind, object_id=section_id)
        if last := kept.order_by("-number").first():
            said = {name: last.data[name] for name in ("title", "body", "is_public")}
            _change(section, at=at, author=author, reason="undone", **said)
            _touch(postmortem, at=at, author=author)
    return section


def remove_section(*, section_id: int, at: datetime, author: User | None) -> PostmortemSection:
    """Take a section out. It can be brought back."""
    return _set_deleted(section_id, at, at=at, author=author)


def bring_section_back(*, section_id: int, at: datetime, author: User | None) -> PostmortemSection:
    """Put a section that was taken out back to its place."""
    return _set_deleted(section_id, None, at=at, author=author)


def move_section(
    *, section_id: int, is_up: bool, at: datetime, author: User | None
) -> PostmortemSection:
    """Let a section change places with the one before it, or behind it, if there is one."""
    with transaction.atomic():
        section, postmortem = _hold_section(section_id)
        rows = list(postmortem.sections.live().in_order())
        place = next((n for n, row in enumerate(rows) if row.pk == section.pk), 0)
        other = place + (-1 if is_up else 1)
        if 0 <= other < len(rows):
            rows[place], rows[other] = rows[other], rows[place]
            for number, row in enumerate(rows, start=1):
                row.position = float(number)
            PostmortemSection.objects.bulk_update(rows, ["position"])
            _touch(postmortem, at=at, author=author)
    return section


def ask_for_review(*, incident_id: int, at: datetime, author: User) -> Postmortem:
    """Ask somebody else to read it. People at the desk are told.

    :raises PostmortemStateOther: if it is no draft
    """
    with transaction.atomic():
        postmortem = _hold(incident_id)
        _refuse_other(postmortem, PostmortemState.DRAFT)
        postmortem.state = PostmortemState.IN_REVIEW
        postmortem.review_asked_by, postmortem.returned_reason = author, ""
        postmortem.save()
        tell_review_wanted(postmortem, at=at, author=author)
    return postmortem


def return_postmortem(
    *, incident_id: int, reason: str, at: datetime, author: User | None
) -> Postmortem:
    """Give it back to be written anew, and tell who asked.

    :raises ReturnWithoutReason: without a reason
    :raises PostmortemStateOther: if it does not wait for approval
    """
    if not reason.strip():
        raise ReturnWithoutReason
    with transaction.atomic():
        postmortem = _hold(incident_id)
        _refuse_other(postmortem, PostmortemState.IN_REVIEW)
        postmortem.state = PostmortemState.DRAFT
        postmortem.returned_reason = reason.strip()[:200]
        postmortem.save()
        tell_review_returned(postmortem, at=at, author=author)
    return postmortem


def approve_postmortem(
    *, incident_id: int, at: datetime, approver: User, version: int | None = None
) -> Postmortem:
    """Approve what it says. Where updates of its severity want somebody else, so does this.

    ``version`` is the one that was read; None for whatever it says.

    :raises PostmortemStateOther: if it does not wait for approval
    :raises EditedMeanwhile: if a section was changed since it was read
    :raises FindingsLeft: while the lint has errors that nobody has mended or dismissed
    :raises PostmortemApprovesOwn: if the approver wrote a part of it, or asked for its review
    """
    with transaction.atomic():
        postmortem = _hold(incident_id)
        _refuse_other(postmortem, PostmortemState.IN_REVIEW)
        refuse_outdated(postmortem.version, version)
        if queries.lint_errors_left(incident_id):
            raise FindingsLeft
        if wants_other(postmortem.incident) and is_writer(postmortem, approver):
            raise PostmortemApprovesOwn
        postmortem.state = PostmortemState.APPROVED
        postmortem.approver, postmortem.approved_at = approver, at
        postmortem.save()
    return postmortem


def publish_postmortem(
    *, incident_id: int, at: datetime, author: User | None, version: int | None = None
) -> Postmortem:
    """Let customers read the public sections as they are now, on the incident's public page.

    :raises PostmortemStateOther: if it is not approved
    :raises EditedMeanwhile: if a section was changed since it was read
    :raises NothingForCustomers: if no section is public
    :raises ReferencesUnknown: if a public section refers to what customers cannot see
    """
    with transaction.atomic():
        postmortem = _hold(incident_id)
        _refuse_other(postmortem, PostmortemState.APPROVED)
        refuse_outdated(postmortem.version, version)
        record = account.for_customers(queries.record_of(incident_id))
        if not record.sections:
            raise NothingForCustomers
        unknown = [
            written
            for section in record.sections
            for written in account.unknown_references(section.body, record)
        ]
        if unknown:
            raise ReferencesUnknown(f"{ReferencesUnknown.message} {', '.join(unknown)}.")
        _keep(postmortem, at=at, author=author, reason="published")
        postmortem.state, postmortem.published_at = PostmortemState.PUBLISHED, at
        postmortem.public_body = account.record_html(record)
        postmortem.save()
        announce(incident_id)
    return postmortem


def withdraw_postmortem(*, incident_id: int, at: datetime, author: User | None) -> Postmortem:
    """Take the public edition off the page. What was approved stays so.

    :raises PostmortemStateOther: if it is not published
    """
    with transaction.atomic():
        postmortem = _hold(incident_id)
        if postmortem.published_at is None:
            raise PostmortemStateOther
        _keep(postmortem, at=at, author=author, reason="taken off the page")
        postmortem.published_at, postmortem.public_body = None, ""
        if postmortem.state == PostmortemState.PUBLISHED:
            postmortem.state = PostmortemState.APPROVED
        postmortem.save()
        announce(incident_id)
    return postmortem


def wants_other(incident: Incident) -> bool:
    """Whether somebody else than its writers approves the postmortem of an incident."""
    return SeverityRule.objects.in_force(Severity(incident.severity)).needs_approval


def is_writer(postmortem: Postmortem, user: User) -> bool:
    """Whether somebody wrote a part of a postmortem, at any time, or asked for its review."""
    if postmortem.review_asked_by_id == user.pk:
        return True
    rows = postmortem.sections.values_list("pk", "written_by")
    if user.pk in {writer for _pk, writer in rows}:
        return True
    kept = Revision.objects.filter(
        content_type=ContentType.objects.get_for_model(PostmortemSection),
        object_id__in=[pk for pk, _writer in rows],
        replaced_by=user,
    )
    return kept.exists()


def _tidy(body: str) -> str:
    body = body.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(body) > _LONGEST:
        raise SectionSaysTooMuch
    return body


def _hold(incident_id: int) -> Postmortem:
    rows = Postmortem.objects.select_for_update(of=("self",)).select_related("incident")
    return rows.get(incident=incident_id)


def _hold_section(section_id: int) -> tuple[PostmortemSection, Postmortem]:
    """Return a section and its postmortem, locked in the order in which everybody locks them."""
    incident_id = PostmortemSection.objects.values_list("postmortem__incident", flat=True).get(
        pk=section_id
    )
    postmortem = _hold(incident_id)
    return PostmortemSection.objects.select_for_update().get(pk=section_id), postmortem


def _change(
    section: PostmortemSection,
    *,
    at: datetime,
    author: User | None,
    reason: str = "",
    **changes: Any,
) -> None:
    keep_revision(section, at=at, author=author, reason=reason)
    for name, value in changes.items():
        setattr(section, name, value)
    section.written_by, section.edited_at = author, at
    section.version += 1
    section.save()


def _set_deleted(
    section_id: int, deleted_at: datetime | None, *, at: datetime, author: User | None
) -> PostmortemSection:
    with transaction.atomic():
        section, postmortem = _hold_section(section_id)
        if (section.deleted_at is None) != (deleted_at is None):
            section.deleted_at = deleted_at
            section.version += 1
            section.save(update_fields=["deleted_at", "version"])
            _touch(postmortem, at=at, author=author)
    return section


def _touch(postmortem: Postmortem, *, at: datetime, author: User | None) -> None:
    """Count a change of the words. What was approved were other words, and so it is a draft again.

    The public edition stays as it was published: customers read no draft.
    """
    postmortem.version += 1
    if postmortem.state in _APPROVED:
        _keep(postmortem, at=at, author=author, reason="edited after approval")
        postmortem.state = PostmortemState.DRAFT
        postmortem.approver = postmortem.approved_at = None
        postmortem.returned_reason = "It was edited after its approval."
    postmortem.save()


def _keep(postmortem: Postmortem, *, at: datetime, author: User | None, reason: str) -> None:
    keep_revision(postmortem, at=at, author=author, reason=reason)


def _refuse_other(postmortem: Postmortem, *states: PostmortemState) -> None:
    if postmortem.state not in states:
        raise PostmortemStateOther
