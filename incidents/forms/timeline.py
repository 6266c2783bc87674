"""Forms on the timeline as a whole: the line that is typed, and what of it is shown."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from incidents.forms.fields import DeskForm
from incidents.models import TimelineEntry
from incidents.values import EntryKind, Outcome

# Longer than anybody tells in one line; what is longer is a file.
LONGEST_LINE = 4000


class QuickEntryForm(DeskForm):
    """One line: its time, what happened, its marks."""

    ids = "entry"

    line = forms.CharField(
        label=_("New entry"),
        max_length=LONGEST_LINE,
        error_messages={
            "required": _("Write what happened."),
            "max_length": _(
                "An entry has at most %(limit_value)d characters, and this is %(show_value)d. "
                "Write what it shows, and attach the rest to it as a file."
            ),
        },
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "enterkeyhint": "send",
                "placeholder": _("What happened?"),
            }
        ),
    )
    is_public = forms.BooleanField(
        label=_("May be told to customers"),
        required=False,
        widget=forms.CheckboxInput(attrs={"aria-describedby": "entry-public"}),
    )
    key = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)

    # What the answer to a refused line may be: lines to send instead, and the entry from which a
    # milestone may be moved here.
    ways: tuple[str, ...] = ()
    holder: TimelineEntry | None = None


class TimelineFilterForm(DeskForm):
    """Which entries are shown. Without entries to count, any tag may be asked for."""

    ids = "filter"

    words = forms.CharField(
        label=_("Words"), required=False, max_length=200, widget=forms.TextInput({"type": "search"})
    )
    kind = forms.ChoiceField(label=_("Kind"), required=False)
    tag = forms.ChoiceField(label=_("Tag"), required=False)
    outcome = forms.ChoiceField(label=_("Outcome"), required=False)
    shown_to = forms.ChoiceField(label=_("Meant for"), required=False)
    pinned = forms.BooleanField(label=_("Pinned only"), required=False)
    fold = forms.BooleanField(label=_("Fold what jobs say"), required=False)

    def __init__(self, *args: Any, entries: Iterable[TimelineEntry], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = list(entries)
        kinds = Counter(entry.kind for entry in rows)
        outcomes = Counter(entry.outcome for entry in rows if entry.outcome)
        tags = Counter(tag for entry in rows for tag in entry.tags)
        public = sum(entry.is_public for entry in rows)
        self._offer("kind", ((kind.value, str(kind.label), kinds[kind]) for kind in EntryKind))
        self._offer("outcome", ((end.value, str(end.label), outcomes[end]) for end in Outcome))
        self._offer("tag", ((tag, f"#{tag}", many) for tag, many in sorted(tags.items())))
        self._offer(
            "shown_to",
            (("public", _("Customers"), public), ("internal", _("Staff only"), len(rows) - public)),
        )

    def _offer(self, name: str, found: Iterable[tuple[str, Any, int]]) -> None:
        """Offer what there is, with how many; what was asked for stays, if there is none of it."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        asked = self.data.get(name, "")
        choices = [
            (value, f"{label} ({many})") for value, label, many in found if many or value == asked
        ]
        if asked and asked not in dict(choices):
            choices.append((asked, f"{asked} (0)"))
        field.choices = [("", _("All")), *choices]

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but folding was asked for. Valid forms only."""
        return any(value for name, value in self.cleaned_data.items() if name != "fold")

    def chosen(self, entries: Iterable[TimelineEntry]) -> Iterator[TimelineEntry]:
        """Yield the entries that are asked for, in the order given. Valid forms only."""
        asked = self.cleaned_data
        words = asked["words"].casefold().split()
        for entry in entries:
            if (
                (not asked["kind"] or entry.kind == asked["kind"])
                and (not asked["tag"] or asked["tag"] in entry.tags)
                and (not asked["outcome"] or entry.outcome == asked["outcome"])
                and (not asked["shown_to"] or entry.is_public == (asked["shown_to"] == "public"))
                and (not asked["pinned"] or entry.is_pinned)
                and (not words or _holds(entry, words))
            ):
                yield entry


def _holds(entry: TimelineEntry, words: list[str]) -> bool:
    text = " ".join((entry.text, *entry.tags)).casefold()
    return all(word in text for word in words)
