"""The times that the record takes: whoever gives another has mistyped a year."""

from datetime import date

from django.utils.translation import gettext_lazy as _

from incidents.errors import Refused
from incidents.values import When

_FIRST_YEAR, _LAST_YEAR = 1970, 2200


class OutOfTime(Refused):
    code = "out-of-time"
    message = _("This is before 1970 or after 2200. Correct the year.")


def refuse_out_of_time(*given: date | When | None) -> None:
    """Refuse a time, or a date, of a year in which nothing here can have been or will be.

    :raises OutOfTime: if one of those given is
    """
    if not all(is_in_time(time) for time in given):
        raise OutOfTime


def is_in_time(given: date | When | None) -> bool:
    """Whether the record takes this time. One that is not known, it does."""
    if isinstance(given, When):
        return is_in_time(given.at) and is_in_time(given.until)
    return given is None or _FIRST_YEAR <= given.year <= _LAST_YEAR
