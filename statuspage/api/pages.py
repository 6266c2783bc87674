"""The pages themselves."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from statuspage import operations
from statuspage.api.base import ManagementView
from statuspage.api.bodies import Body
from statuspage.api.faults import Unfit
from statuspage.api.objects import page_object
from statuspage.models import Page


class Pages(ManagementView):
    def get(self, _request: Request) -> Response:
        found = []
        for page in Page.objects.defer("logo", "icon").in_order():
            self.page = page
            self.read_anew()
            found.append(page_object(self.facts))
        return Response(found)


class PageOne(ManagementView):
    def get(self, _request: Request, **_ids: str) -> Response:
        return Response(page_object(self.facts))

    def patch(self, _request: Request, **_ids: str) -> Response:
        """Name it, or change its zone; all else is set at the desk."""
        body = self.body("page")
        self._refuse_others(body, page_object(self.facts))
        page = self.page
        operations.set_up_page(
            page_id=page.pk,
            name=body.line("name", longest=140) or page.name,
            url=page.url,
            time_zone=body.line("time_zone", longest=64) or page.time_zone,
            support_url=page.support_url,
            language=page.language,
            at=self.at,
        )
        self.page = Page.objects.defer("logo", "icon").get(pk=page.pk)
        self.read_anew()
        return Response(page_object(self.facts))

    put = patch

    def _refuse_others(self, body: Body, is_so: dict[str, Any]) -> None:
        """Refuse what cannot be changed here; what is sent back as it is changes nothing."""
        fixed = [
            name
            for name in body
            if name not in ("name", "time_zone")
            and body.has(name)
            and str(body.raw(name)).lower() != str(is_so.get(name)).lower()
        ]
        if fixed:
            raise Unfit(f"{', '.join(fixed)}: set this at the desk, under Setup, Pages.")
