"""Forms on an entry that stands already: what it says, where it stands, what shows it."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from incidents.forms.fields import DeskForm, LocalTimeField
from incidents.models import TimelineEntry
from incidents.values import LONGEST_TEXT, Milestone, Outcome, Precision, When, zone

_LONGEST_TAG = 40
_FIRST_MONTHS = {Precision.MONTH: 1, Precision.QUARTER: 3, Precision.YEAR: 12}


class EditEntryForm(DeskForm):
    """Text, time and marks of an entry, and the version of it that was read."""

    ids = "edit"

    text = forms.CharField(
        label=_("What happened"),
        max_length=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    precision = forms.ChoiceField(
        label=_("How exactly the time is known"), required=False, choices=Precision.choices
    )
    starts = LocalTimeField(label=_("Time"), required=False, asks=False)
    ends = LocalTimeField(
        label=_("Until"), required=False, asks=False, help_text=_("Only for a stretch of time.")
    )
    which = forms.ChoiceField(
        label=_("Which of the two"),
        required=False,
        choices=[("", _("Choose")), ("first", _("The first")), ("second", _("The second"))],
        help_text=_("The clocks went back, and that time came twice."),
    )
    approx = forms.BooleanField(label=_("About that time"), required=False)
    said = forms.CharField(
        label=_("The time in words"),
        required=False,
        max_length=200,
        help_text=_("As it was said: “in the days before”. Shown where the time is not known."),
    )
    tags = forms.CharField(
        label=_("Tags"), required=False, help_text=_("With commas or spaces between them.")
    )
    outcome = forms.ChoiceField(
        label=_("Outcome"), required=False, choices=[("", _("None")), *Outcome.choices]
    )
    milestone = forms.ChoiceField(
        label=_("Milestone"), required=False, choices=[("", _("None")), *Milestone.choices]
    )
    is_public = forms.BooleanField(
        label=_("May be told to customers"),
        required=False,
        help_text=_("The proposal for the next update draws on it. By itself it is on no page."),
    )
    reason = forms.CharField(
        label=_("Why it is changed"),
        required=False,
        max_length=200,
        help_text=_("Stays in the history, beside what the entry said before."),
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, tz: str, before: When, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._before = before
        self.tz = tz
        for name in ("starts", "ends"):
            field = self.fields[name]
            assert isinstance(field, LocalTimeField)
            field.tz = tz
        self.fields["starts"].help_text = gettext("In %s.") % tz
        self._when: When | None = None

    @staticmethod
    def says(entry: TimelineEntry) -> dict[str, Any]:
        """Return what the form begins with, to show what an entry says."""
        return {
            "text": entry.text,
            "precision": entry.precision,
            "starts": entry.at and entry.at.replace(second=0, microsecond=0),
            "ends": entry.until and entry.until.replace(second=0, microsecond=0),
            "approx": entry.approx,
            "said": entry.said,
            "tags": " ".join(entry.tags),
            "outcome": entry.outcome,
            "milestone": entry.milestone,
            "is_public": entry.is_public,
            "version": entry.version,
        }

    def clean_tags(self) -> list[str]:
        words = self.cleaned_data["tags"].replace(",", " ").split()
        tags = list(dict.fromkeys(word.lstrip("#").lower() for word in words))
        if any(len(tag) > _LONGEST_TAG for tag in tags):
            raise forms.ValidationError(gettext("A tag has at most 40 characters."))
        return [tag for tag in tags if tag]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if not {"starts", "ends", "precision"} & set(self.errors):
            self._when = self._read_time()
        return cleaned

    @property
    def when(self) -> When | None:
        """The new time, or None if it stays as it is. Valid forms only."""
        return self._when

    @property
    def asks_which(self) -> bool:
        """Whether a time came twice, and it has to be said which is meant."""
        return "which" in self.errors or bool(self["which"].value())

    def _read_time(self) -> When | None:
        starts, ends = self.cleaned_data.get("starts"), self.cleaned_data.get("ends")
        said = self.cleaned_data.get("said", "")
        # A form without the field says nothing of it: as exact as it was, or to the minute.
        precision = self.cleaned_data.get("precision") or (
            self._before.precision if starts is None else Precision.MINUTE
        )
        if precision == Precision.UNKNOWN:
            kept = said if "said" in self.data else self._before.said
            return self._changed(When.unknown(kept))
        if starts is None:
            self.add_error(
                "starts",
                gettext("An end needs a start.") if ends else gettext("Say when it was."),
            )
            return None
        before = self._before
        starts, ends = self._meant(before.at, starts), ends and self._meant(before.until, ends)
        is_coarse = precision not in (Precision.MINUTE, Precision.HOUR)
        if is_coarse and (starts, ends, precision) != (before.at, before.until, before.precision):
            starts = _first_of(starts.astimezone(zone(self.tz)), precision)
            ends = ends and _first_of(ends.astimezone(zone(self.tz)), precision)
        return self._changed(
            When(
                at=starts,
                until=ends,
                precision=precision,
                approx=self.cleaned_data["approx"],
                tz=self.tz,
                said=said if said != before.said else "",
            )
        )

    def _meant(self, before: datetime | None, typed: datetime) -> datetime:
        """Return the moment that a wall clock means: the one that stood there, if it still does."""
        here = zone(self.tz)
        local = typed.astimezone(here).replace(tzinfo=None)
        if before is not None and _minute(before.astimezone(here).replace(tzinfo=None)) == local:
            return before
        early, late = (local.replace(tzinfo=here, fold=fold) for fold in (0, 1))
        if early.utcoffset() == late.utcoffset():
            return typed
        chosen = self.cleaned_data.get("which")
        if not chosen:
            self.add_error(
                "which",
                gettext("%(clock)s came twice on that day in %(tz)s. Which of them do you mean?")
                % {"clock": f"{local:%H:%M}", "tz": self.tz},
            )
        return late if chosen == "second" else early

    def _changed(self, when: When) -> When | None:
        before = self._before
        same = ("at", "until", "precision", "approx")
        if all(getattr(when, name) == getattr(before, name) for name in same):
            said = self.cleaned_data.get("said", "")
            if "said" not in self.data or said == before.said:
                return None
            return replace(before, said=said)
        return when


class PlaceForm(DeskForm):
    """Where an entry without a known time stands."""

    ids = "place"

    side = forms.ChoiceField(
        label=_("It stands"), choices=[("before", _("before")), ("after", _("after"))]
    )
    beside = forms.TypedChoiceField(label=_("This entry"), coerce=int)

    def __init__(self, *args: Any, entries: list[TimelineEntry], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["beside"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [(entry.pk, entry.text[:100]) for entry in entries]


class LinkForm(DeskForm):
    """A link to what shows it."""

    ids = "link"

    url = forms.URLField(
        label=_("Address"), max_length=2000, assume_scheme="https",
        widget=forms.URLInput(attrs={"placeholder": "https://"}),
    )  # fmt: skip
    caption = forms.CharField(label=_("What it shows"), required=False, max_length=200)


class FileForm(DeskForm):
    """A file that shows it."""

    ids = "file"

    file = forms.FileField(label=_("Picture or file"), allow_empty_file=True)
    caption = forms.CharField(label=_("What it shows"), required=False, max_length=200)

    def __init__(self, *args: Any, limit: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].help_text = gettext(
            "PNG, JPEG, GIF, WebP, PDF or plain text, up to %s MiB. Pictures keep what the camera "
            "wrote into them, places included."
        ) % (limit // (1024 * 1024))


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _first_of(local: datetime, precision: str) -> datetime:
    """Return the first instant of the day, month, quarter or year."""
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if precision == Precision.DAY:
        return midnight
    length = _FIRST_MONTHS[Precision(precision)]
    return midnight.replace(month=(midnight.month - 1) // length * length + 1, day=1)
