"""Whether the part behind the public page works. The page itself does not need it."""

import sys

from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe


def failed(_request: HttpRequest) -> HttpResponse:
    """Answer a fault of ours; a database that is away is named, with what works meanwhile."""
    away = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    name = "503.html" if away else "500.html"
    return HttpResponse(render_to_string(name), status=503 if away else 500)


@require_safe
def health(_request: HttpRequest) -> JsonResponse:
    """Answer 200 if the database answers, 503 if not. Says nothing more to strangers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"database": "away"}, status=503)
    return JsonResponse({"database": "ok"})
