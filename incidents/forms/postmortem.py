"""The forms of a postmortem that is pasted in, looked at, and taken into the record."""

from collections.abc import Collection
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from incidents.errors import Refused
from incidents.forms.fields import DeskForm
from incidents.forms.incident import zone_names
from incidents.importer import LARGEST_FILE, Told, decode
from incidents.values import Visibility

_LONGEST = 400_000
_LONGEST_NAME = 300


class PastedForm(DeskForm):
    """A written postmortem, and what its reader must be told to understand it."""

    ids = "pasted"

    text = forms.CharField(
        label=_("The postmortem, as it was written"),
        max_length=_LONGEST,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false"}),
        help_text=_("Plain text or Markdown. It is kept to the letter beside what is read in it."),
    )
    file = forms.FileField(
        label=_("Or a file"),
        required=False,
        help_text=_("Text or Markdown. Its encoding is found out, and said where it is a guess."),
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

    day = forms.DateField(
        label=_("Day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("The day on which it began, if the text has only clock times."),
    )
    day_first = forms.NullBooleanField(
        label=_("In dates such as 03/04/2026"),
        required=False,
        widget=forms.Select(
            choices=[
                ("unknown", _("not said")),
                ("true", _("the day comes first: 3 April")),
                ("false", _("the month comes first: 4 March")),
            ]
        ),
    )
    part = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)

    guessed_encoding = ""

    def clean_text(self) -> str:
        # A browser sends line ends of its own; the document has those that it was written with.
        return str(self.cleaned_data["text"]).replace("\r\n", "\n")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        uploaded = cleaned.pop("file", None)
        if uploaded is not None:
            self._take(uploaded)
        elif not cleaned.get("text") and "text" not in self.errors:
            self.add_error("text", _("This field is required, unless you choose a file."))
        return cleaned

    def _take(self, uploaded: "UploadedFile[bytes]") -> None:
        """Read the text out of a file, and carry on as if it had been pasted."""
        try:
            decoded = decode(uploaded.read(LARGEST_FILE + 1))
        except Refused as refusal:
            self.add_error("file", str(refusal))
            return
        text = decoded.text.replace("\r\n", "\n")
        if len(text) > _LONGEST:
            self.add_error(
                "file",
                _("The file has more than %(count)d characters. Import it by the command line.")
                % {"count": _LONGEST},
            )
            return
        self.guessed_encoding = decoded.encoding if decoded.guessed else ""
        name = self.cleaned_data.get("source_name") or (uploaded.name or "")[:_LONGEST_NAME]
        self.cleaned_data |= {"text": text, "source_name": name}
        # What is asked back is asked of the text; the file does not come a second time.
        self.data = {**dict(self.data.items()), "text": text, "source_name": name}

    @property
    def told(self) -> Told:
        """What the form says that the document leaves open. Valid forms only."""
        return Told(
            year=self.cleaned_data["year"],
            timezone=self.cleaned_data["timezone"] or None,
            day=self.cleaned_data["day"],
            day_first=self.cleaned_data["day_first"],
            part=self.cleaned_data["part"],
        )

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
