"""What other status pages have and this one does not: lists are empty, the rest says why."""

from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from statuspage.api.base import ManagementView
from statuspage.api.faults import Unfit

_WHY = {
    "metrics": "Metrics are not kept here. Send them to your monitoring system.",
    "metrics_providers": "Metrics are not kept here. Send them to your monitoring system.",
    "page_access_users": "Who may read a page is set at the desk, under Setup, Pages.",
    "page_access_groups": "Who may read a page is set at the desk, under Setup, Pages.",
    "status_embed_config": "The badge and the widget have no settings. Style them where they are.",
    "organizations": "There are no organizations here. People are kept at the desk.",
}


class Absent(ManagementView):
    """A collection that has no members, and takes none."""

    kind = ""

    def get(self, _request: Request, **_ids: str) -> Response:
        return Response([])

    def post(self, _request: Request, **_ids: str) -> Response:
        raise Unfit(_WHY[self.kind])

    put = patch = delete = post


class AbsentOne(ManagementView):
    """A member of such a collection, or what lies below one."""

    kind = ""

    def get(self, _request: Request, **_ids: str) -> Response:
        raise NotFound(_WHY[self.kind])

    post = put = patch = delete = get


class Unknown(ManagementView):
    """Any other address below ``/v1/``."""

    def get(self, _request: Request, **_ids: str) -> Response:
        raise NotFound("There is no such address. See the reference of the management API.")

    post = put = patch = delete = get
