"""Deeds on what is usually said and set for a kind of planned work."""

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from incidents.errors import Refused
from incidents.models import Component, MaintenanceTemplate
from incidents.operations.maintenance.planning import Plan


class MaintenanceTemplateNameTaken(Refused):
    code = "maintenance-template-name-taken"
    message = _("Another template goes by this name. Choose another name.")


def add_maintenance_template(
    *, name: str, plan: Plan, duration: timedelta, body: str = ""
) -> MaintenanceTemplate:
    """Keep a plan under a name. Its visibility and zone are chosen each time anew.

    :raises MaintenanceTemplateNameTaken: if another goes by the name
    """
    return _keep(MaintenanceTemplate(), name=name, plan=plan, duration=duration, body=body)


def edit_maintenance_template(
    *, template_id: int, name: str, plan: Plan, duration: timedelta, body: str = ""
) -> MaintenanceTemplate:
    """Change a template. What was scheduled by it stays as it is.

    :raises MaintenanceTemplateNameTaken: if another goes by the name
    """
    with transaction.atomic():
        template = MaintenanceTemplate.objects.select_for_update().get(pk=template_id)
        return _keep(template, name=name, plan=plan, duration=duration, body=body)


def remove_maintenance_template(*, template_id: int) -> None:
    """Put a template away. Asked again, nothing happens."""
    MaintenanceTemplate.objects.filter(pk=template_id).delete()


def _keep(
    template: MaintenanceTemplate, *, name: str, plan: Plan, duration: timedelta, body: str
) -> MaintenanceTemplate:
    template.name, template.title = " ".join(name.split()), " ".join(plan.title.split())
    template.body, template.duration = body, duration
    for column in (
        "component_status", "remind_before", "starts_by_itself", "ends_by_itself",
        "deliver_notifications",
    ):  # fmt: skip
        setattr(template, column, getattr(plan, column))
    try:
        # The constraint decides: of two that take a name at once, one stands.
        with transaction.atomic():
            template.save()
            template.components.set(
                Component.objects.filter(pk__in=plan.components, is_group=False)
            )
    except IntegrityError as fault:
        if "name" not in str(fault):
            raise
        raise MaintenanceTemplateNameTaken from fault
    return template
