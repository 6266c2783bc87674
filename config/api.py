"""One shape of refusal for the whole API."""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from rest_framework import status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from config.uploads import read_out
from incidents.errors import Refused
from incidents.evidence import (
    FileDiffers,
    FileIsEmpty,
    FileNotAsNamed,
    FileOfAnotherKind,
    FileTooLarge,
)

# What is wrong with the thing that was sent, rather than with the moment.
_STATUSES = {
    FileTooLarge: status.HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    **dict.fromkeys(
        (FileDiffers, FileIsEmpty, FileNotAsNamed, FileOfAnotherKind),
        status.HTTP_422_UNPROCESSABLE_ENTITY,
    ),
}


def answer_refusal(fault: Exception, context: dict[str, Any]) -> Response | None:
    """Turn a refusal into its code and its sentence; leave the rest to the framework.

    That is 409; of a file 422, and 413 if it is too large.
    """
    if isinstance(fault, RequestDataTooBig):
        read_out(context["request"])
        said = {"code": FileTooLarge.code, "detail": FileTooLarge.message}
        return Response(said, status=status.HTTP_413_REQUEST_ENTITY_TOO_LARGE)
    if isinstance(fault, Refused):
        said = {"code": fault.code, "detail": str(fault)}
        if fault.where:
            said["where"] = fault.where
        return Response(said, status=_STATUSES.get(type(fault), status.HTTP_409_CONFLICT))
    return exception_handler(fault, context)
