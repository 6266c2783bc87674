"""What the desk asks about the page itself and its followers."""

from django import forms
from django.utils.translation import gettext_lazy as _

from incidents.forms.fields import DeskForm
from incidents.forms.incident import zone_names


class PageForm(DeskForm):
    """What the page is called, where it lies, and by which clock it tells the time."""

    ids = "page"

    name = forms.CharField(
        label=_("Name"),
        max_length=140,
        help_text=_("Stands on top of the page and before the subject of every message."),
    )
    url = forms.URLField(
        label=_("Address"),
        max_length=500,
        assume_scheme="https",
        help_text=_(
            "Where customers find it: https://status.example.com. Links in messages use it."
        ),
    )
    time_zone = forms.CharField(
        label=_("Time zone"),
        max_length=64,
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
        help_text=_("The page tells every time by this clock: Europe/Amsterdam, Etc/UTC."),
    )
    support_url = forms.URLField(
        label=_("Link to support"),
        required=False,
        max_length=500,
        assume_scheme="https",
        help_text=_("Where customers can ask; stands at the foot of the page."),
    )

    @property
    def zone_names(self) -> list[str]:
        """The names that the browser offers while a zone is typed."""
        return zone_names()


class SubscriberForm(DeskForm):
    ids = "subscriber"

    email = forms.EmailField(
        label=_("Email address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
        help_text=_("You vouch that they want it. Every message has a link to leave."),
    )
