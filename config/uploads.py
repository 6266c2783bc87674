"""How much may be sent to the server at once, and the answer to more."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

_MIB = 1024 * 1024
# What stands around the file in its form.
_ROOM = _MIB
# A browser shows the answer only once it was let finish; beyond this, the line is cut.
_READ_OUT = 64 * _MIB


class LimitedUploadHandler(FileUploadHandler):
    """Refuses an upload that is larger than any file may be, before a byte of it is kept."""

    def handle_raw_input(self, _input: Any, _meta: Any, content_length: int, *_rest: Any) -> None:
        if content_length > settings.EVIDENCE_MOST_BYTES + _ROOM:
            raise RequestDataTooBig

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


def read_out(request: HttpRequest) -> None:
    """Take in what is still being sent, within reason, so that its sender reads the answer."""
    left = _READ_OUT
    while left > 0 and (read := request.read(min(left, _MIB))):
        left -= len(read)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what cannot be read: too much of it with 413 and the limits, the rest with 400."""
    if not isinstance(exception, RequestDataTooBig):
        return HttpResponse(render_to_string("400.html"), status=400)
    read_out(request)
    limits = {
        "text_limit": f"{(settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0) / _MIB:g} MiB",
        "file_limit": f"{settings.EVIDENCE_MOST_BYTES / _MIB:g} MiB",
    }
    return HttpResponse(render_to_string("413.html", limits), status=413)
