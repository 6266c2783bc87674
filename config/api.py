"""One shape of refusal for the whole API."""

from typing import Any

from rest_framework import status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from incidents.errors import Refused


def answer_refusal(fault: Exception, context: dict[str, Any]) -> Response | None:
    """Turn a refusal into 409 with its code and its sentence; leave the rest to the framework."""
    if isinstance(fault, Refused):
        return Response({"code": fault.code, "detail": str(fault)}, status=status.HTTP_409_CONFLICT)
    return exception_handler(fault, context)
