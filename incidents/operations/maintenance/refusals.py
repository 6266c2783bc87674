"""What a deed on planned work may answer instead."""

from django.utils.translation import gettext_lazy as _

from incidents.errors import Refused


class MaintenanceEndsBeforeStart(Refused):
    code = "maintenance-ends-before-start"
    message = _("The maintenance does not end after its start. Give it a later end.")


class MaintenanceIsLong(Refused):
    code = "maintenance-is-long"
    message = _("This is longer than a year. Correct the dates, or say that it is meant.")


class MaintenanceInThePast(Refused):
    code = "maintenance-in-the-past"
    message = _("All of this time has passed. Choose an end that is still to come.")


class MaintenanceHasBegun(Refused):
    code = "maintenance-has-begun"
    message = _("The maintenance has begun. Extend it, finish it or cancel it.")


class MaintenanceNotRunning(Refused):
    code = "maintenance-not-running"
    message = _("The maintenance has not begun. Start it first, or cancel it.")


class MaintenanceOver(Refused):
    code = "maintenance-over"
    message = _("The maintenance is over. Schedule another one.")


class ExtensionIsNoLater(Refused):
    code = "extension-is-no-later"
    message = _("The new end is no later than the one that was given. Give a later one.")
