"""Deeds on the sentences that jobs say to customers, and on the messages that people prepare."""

from collections.abc import Collection

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from incidents.errors import Refused
from incidents.models import MessageTemplate, UpdateTemplate
from incidents.values import ComponentStatus, Phase, Severity, TemplateKind
from incidents.wording import UPDATES


class NoSuchTemplate(Refused):
    code = "no-such-template"
    message = _("No update goes by this name.")


class TemplateNameTaken(Refused):
    code = "template-name-taken"
    message = _("Another template has this name. Take a different one.")


class TemplateIsEmpty(Refused):
    code = "template-is-empty"
    message = _("A template needs some words: a title or a message.")


def replace_template(*, code: str, body: str) -> UpdateTemplate:
    """Put staff's own words in the place of ours, from the next update on.

    :raises NoSuchTemplate: if no update has this code
    """
    _refuse_unknown(code)
    template, _new = UpdateTemplate.objects.update_or_create(code=code, defaults={"body": body})
    return template


def reset_template(*, code: str) -> None:
    """Go back to our words.

    :raises NoSuchTemplate: if no update has this code
    """
    _refuse_unknown(code)
    UpdateTemplate.objects.filter(code=code).delete()


def add_message_template(
    *,
    kind: TemplateKind,
    name: str,
    title: str = "",
    body: str = "",
    phase: Phase | None = None,
    severity: Severity | None = None,
    components: Collection[int] = (),
    component_status: ComponentStatus | None = None,
) -> MessageTemplate:
    """Prepare a message. What it does not name is left to whoever uses it.

    :raises TemplateNameTaken: if another of its kind has the name
    :raises TemplateIsEmpty: if it says nothing
    """
    template = MessageTemplate(kind=kind)
    _write(
        template,
        components,
        name=name,
        title=title,
        body=body,
        phase=phase or "",
        severity=severity or "",
        component_status=component_status or "",
    )
    return template


def edit_message_template(
    *,
    template_id: int,
    name: str,
    title: str = "",
    body: str = "",
    phase: Phase | None = None,
    severity: Severity | None = None,
    components: Collection[int] = (),
    component_status: ComponentStatus | None = None,
) -> MessageTemplate:
    """Prepare a message anew. What was posted with it before stays as it was posted.

    :raises TemplateNameTaken: if another of its kind has the name
    :raises TemplateIsEmpty: if it says nothing
    """
    with transaction.atomic():
        template = MessageTemplate.objects.select_for_update().get(pk=template_id)
        _write(
            template,
            components,
            name=name,
            title=title,
            body=body,
            phase=phase or "",
            severity=severity or "",
            component_status=component_status or "",
        )
    return template


def remove_message_template(*, template_id: int) -> None:
    """Take a prepared message away. Removed twice, it is gone."""
    MessageTemplate.objects.filter(pk=template_id).delete()


def _write(template: MessageTemplate, components: Collection[int], **fields: str) -> None:
    if not (fields["title"] or fields["body"]):
        raise TemplateIsEmpty
    for field, value in fields.items():
        setattr(template, field, value)
    try:
        with transaction.atomic():
            template.save()
            template.components.set(components)
    except IntegrityError as fault:
        if "name_is_unique" not in str(fault):
            raise
        raise TemplateNameTaken from fault


def _refuse_unknown(code: str) -> None:
    if code not in UPDATES:
        raise NoSuchTemplate
