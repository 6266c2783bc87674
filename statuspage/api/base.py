"""What every address of the management API shares: who asks, how often, of which page."""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework import status
from rest_framework.exceptions import NotFound, Throttled
from rest_framework.permissions import IsAdminUser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import TokenAuthentication
from accounts.models import ApiToken, User
from accounts.tokens import note_use
from incidents.models import Component
from incidents.values import ComponentStatus
from statuspage.api.bodies import (
    Body,
    NestedFormParser,
    NestedMultiPartParser,
    PlainJSONParser,
    kept,
)
from statuspage.api.faults import TooLarge, Unfit, answer_fault
from statuspage.documents.facts import Facts, Limits, group_statuses
from statuspage.models import Page
from statuspage.publisher.scope import scope_of
from statuspage.receivers import published_together

Item = TypeVar("Item")

MOST_A_PAGE = 100
_MOST_DIGITS = 6


class _Renderer(JSONRenderer):
    charset = "utf-8"
    format = "json"


class ManagementView(APIView):
    """One address. The methods that it answers are its own; the rest is here.

    ``at`` is the moment of the request, ``page`` the page in its address.
    """

    authentication_classes = (TokenAuthentication,)
    permission_classes = (IsAdminUser,)
    parser_classes = (PlainJSONParser, NestedFormParser, NestedMultiPartParser)
    renderer_classes = (_Renderer,)

    at: datetime
    page: Page

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer, once all that the request has changed is on the page."""
        with published_together():
            return super().dispatch(request, *args, **kwargs)

    def get_exception_handler(self) -> Any:
        return answer_fault

    def check_throttles(self, request: Request) -> None:
        """Count the request of its token.

        :raises Throttled: if there were too many
        """
        assert isinstance(request.auth, ApiToken)
        most = max(settings.API_REQUESTS_A_MINUTE, 1)
        if wait := note_use(request.auth, a_minute=most, at=self.at):
            raise Throttled(wait)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.at = timezone.now()
        super().initial(request, *args, **kwargs)
        length = str(request.META.get("CONTENT_LENGTH") or "")
        if length.isdecimal() and int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise TooLarge
        if "page" in kwargs:
            found = Page.objects.defer("logo", "icon").filter(public_id=kwargs["page"])
            self.page = _found(found.first())

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer["Cache-Control"] = "private, no-store"
        return answer

    @cached_property
    def user(self) -> User:
        assert isinstance(self.request.user, User)
        return self.request.user

    @property
    def touching(self) -> frozenset[int] | None:
        return self.facts.scope.touching

    @cached_property
    def facts(self) -> Facts:
        """What the documents of the page are made of, without incidents."""
        scope = scope_of(self.page)
        return Facts(
            page=self.page,
            scope=scope,
            statuses=group_statuses(scope.components),
            incidents=[],
            at=self.at,
            revision=0,
            assets={},
            limits=Limits(),
        )

    def read_anew(self) -> None:
        """Forget what was read of the page: it has changed."""
        self.__dict__.pop("facts", None)

    def body(self, wrapper: str = "") -> Body:
        """Return what was sent, within its wrapper if it has one."""
        zone = self.facts.zone
        if wrapper:
            return Body.within(self.request.data, wrapper, zone)
        return Body.plain(self.request.data, zone)

    def asked(self, name: str) -> str:
        """Return what the address asks for under a name; empty for nothing."""
        return kept(self.request.query_params.get(name, ""), name)

    def number(self, *names: str, default: int, most: int) -> int:
        """Return a number that the address names, no larger than ``most``.

        :raises Unfit: if it is none
        """
        for name in names:
            if said := self.asked(name):
                if not said.isdecimal() or not said.isascii() or len(said) > _MOST_DIGITS:
                    raise Unfit(f"{name} must be a whole number.")
                return min(int(said), most)
        return default

    def bounds(self) -> tuple[int, int]:
        """Return where the page of a list that is asked for begins, and how long it is.

        Pages are counted from 1.
        """
        limit = self.number("per_page", "limit", default=MOST_A_PAGE, most=MOST_A_PAGE) or 1
        page = self.number("page", default=1, most=10**_MOST_DIGITS)
        return (max(page, 1) - 1) * limit, limit

    def paged(self, rows: Sequence[Item]) -> Sequence[Item]:
        """Return the page of a list that is asked for."""
        first, limit = self.bounds()
        return rows[first : first + limit]

    def component(self, public_id: str, *, is_group: bool | None = None) -> Component:
        """Return a component of the page.

        :raises NotFound: if the page has none with this id
        """
        for part in self.facts.components:
            if part.public_id == public_id and is_group in (None, part.is_group):
                return part
        raise NotFound

    def parts(self, public_ids: Sequence[str]) -> list[Component]:
        """Return components of the page, no groups among them.

        :raises Unfit: if the page has none with one of these ids
        """
        known = {part.public_id: part for part in self.facts.components if not part.is_group}
        unknown = [name for name in public_ids if name not in known]
        if unknown:
            raise Unfit(
                f"{', '.join(unknown[:10])}: this page has no component with such an id. Name "
                "components, not groups, as /v1/pages/PAGE/components lists them."
            )
        return [known[name] for name in public_ids]


def status_of(said: str, part: Component) -> ComponentStatus:
    """Return the status that was said of a component; the one that it has for an empty word.

    :raises Unfit: if there is no such status
    """
    if said not in ("", *ComponentStatus.values):
        raise Unfit(f"A status must be one of {', '.join(ComponentStatus.values)}.")
    return ComponentStatus(said or part.status)


def created(data: Any) -> Response:
    return Response(data, status=status.HTTP_201_CREATED)


def gone() -> Response:
    return Response(status=status.HTTP_204_NO_CONTENT)


def _found(row: Page | None) -> Page:
    if row is None:
        raise NotFound("There is no page with this id. GET /v1/pages lists them.")
    return row
