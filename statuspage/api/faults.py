"""What the management API answers instead: one sentence, in the shape that clients know."""

from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import Http404
from rest_framework import status
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotAuthenticated,
    NotFound,
    ValidationError,
)
from rest_framework.response import Response
from rest_framework.views import exception_handler

from incidents.errors import Refused


class Unfit(APIException):
    """What was sent cannot be done."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY


class Incomplete(APIException):
    """What was sent is not what this address takes."""

    status_code = status.HTTP_400_BAD_REQUEST


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "This is more than can be taken in one request. Send less."


def answer_fault(fault: Exception, context: dict[str, Any]) -> Response | None:
    """Turn a refusal, or what the framework has against a request, into ``{"message": …}``."""
    if isinstance(fault, Refused):
        return _said(str(fault), status.HTTP_422_UNPROCESSABLE_ENTITY)
    if isinstance(fault, SuspiciousOperation):
        return _said("This cannot be read. Send JSON, or form fields.", 400)
    if isinstance(fault, Http404):
        fault = NotFound()
    answer = exception_handler(fault, context)
    if answer is None:
        return None
    if isinstance(fault, AuthenticationFailed | NotAuthenticated):
        answer.data = {"message": f"Could not authenticate. {fault.detail}"}
    elif isinstance(fault, NotFound) and fault.detail == NotFound.default_detail:
        answer.data = {"message": "The requested resource could not be found."}
    elif isinstance(fault, APIException) and not isinstance(fault, ValidationError):
        answer.data = {"message": str(fault.detail)}
    return answer


def _said(message: str, code: int) -> Response:
    return Response({"message": message}, status=code)
