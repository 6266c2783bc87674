"""Messages that are prepared in quiet hours."""

from datetime import timedelta

from rest_framework.request import Request
from rest_framework.response import Response

from incidents import operations, queries
from incidents.models import MaintenanceTemplate, MessageTemplate
from incidents.operations import Plan
from incidents.values import Phase, TemplateKind
from statuspage.api import planning
from statuspage.api.base import ManagementView, created
from statuspage.api.faults import Unfit
from statuspage.api.objects import template_object

# Clients say nothing of how long the work takes; staff can say so at the desk.
_USUAL_DURATION = timedelta(hours=1)
_LONGEST_NAME, _LONGEST_TITLE = 60, 140


class Templates(ManagementView):
    def get(self, _request: Request, **_ids: str) -> Response:
        rows = self.paged(queries.templates_of_programs())
        return Response([template_object(self.facts, row) for row in rows])

    def post(self, _request: Request, **_ids: str) -> Response:
        body = self.body("template")
        name, title = body.line("name"), body.line("title")
        words = body.text("body")
        if not (name and title and words.strip()):
            raise Unfit("name, title and body can't be blank.")
        if len(name) > _LONGEST_NAME or len(title) > _LONGEST_TITLE:
            raise Unfit(
                f"name has {_LONGEST_NAME} characters at most, title {_LONGEST_TITLE}. Shorten it."
            )
        if body.has("group_id"):
            raise Unfit("Templates have no groups here. Leave group_id out.")
        status = body.choice("update_status", [*Phase.values, *planning.STATES])
        parts = [part.pk for part in self.parts(body.listing("component_ids"))]
        if status in planning.STATES:
            plan = Plan(
                title=title,
                components=parts,
                deliver_notifications=body.flag("should_send_notifications", default=True),
            )
            row: MaintenanceTemplate | MessageTemplate = operations.add_maintenance_template(
                name=name, plan=plan, duration=_USUAL_DURATION, body=words
            )
        else:
            row = operations.add_message_template(
                kind=TemplateKind.INCIDENT,
                name=name,
                title=title,
                body=words,
                phase=Phase(status) if status else None,
                components=parts,
            )
        return created(template_object(self.facts, row))
