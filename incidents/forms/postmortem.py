"""The forms of a postmortem that is pasted in, looked at, and taken into the record."""

from collections.abc import Collection
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from incidents.forms.fields import DeskForm
from incidents.forms.incident import zone_names
from incidents.values import Visibility

_LONGEST = 400_000


class PastedForm(DeskForm):
    """A written postmortem, and what its reader must be told to understand it."""

    ids = "pasted"

    text = forms.CharField(
        label=_("The postmortem, as it was written"),
        max_length=_LONGEST,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false"}),
        help_text=_("Plain text or Markdown. It is kept to the letter beside what is read in it."),
    )
    source_name = forms.CharField(
        label=_("Where it comes from"),
        required=False,
        max_length=300,
        help_text=_("A file name or an address, for the record."),
    )
    year = forms.IntegerField(
        label=_("Year"),
        required=False,
        min_value=1970,
        max_value=2199,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        help_text=_("Only where the text leaves it open; you are asked if it does."),
    )
    timezone = forms.CharField(
        label=_("Time zone"),
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
        help_text=_("For times that name none: Europe/Amsterdam, CET, +01:00."),
    )

    def clean_text(self) -> str:
        # A browser sends line ends of its own; the document has those that it was written with.
        return str(self.cleaned_data["text"]).replace("\r\n", "\n")

    @property
    def zone_names(self) -> list[str]:
        """The names that the browser offers while a zone is typed."""
        return zone_names()


class ConfirmForm(PastedForm):
    """The same once more, with a title, and with the lines that shall be taken."""

    ids = "confirm"

    title = forms.CharField(label=_("Title of the incident"), max_length=140)
    visibility = forms.ChoiceField(
        label=_("Who may know"),
        choices=[
            (Visibility.INTERNAL, _("Staff only")),
            (Visibility.PUBLIC, _("Customers: it goes into the history of the status page")),
        ],
        initial=Visibility.INTERNAL,
    )
    keep = forms.TypedMultipleChoiceField(
        coerce=int,
        error_messages={"required": _("Tick at least one line, or start over.")},
    )

    def __init__(self, *args: Any, lines: Collection[int] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lines = frozenset(lines)
        keep = self.fields["keep"]
        assert isinstance(keep, forms.TypedMultipleChoiceField)
        keep.choices = [(number, str(number)) for number in sorted(self._lines)]

    @property
    def skipped(self) -> frozenset[int]:
        """The lines in which something was read and that are not kept. Valid forms only."""
        return self._lines.difference(self.cleaned_data["keep"])
