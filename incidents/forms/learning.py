"""Forms on causes and action items."""

from collections.abc import Callable
from datetime import date
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents import queries
from incidents.forms.fields import DeskForm, FuzzyDateField
from incidents.forms.lists import DayField, WordsField
from incidents.models import ActionItem, RootCause, TimelineEntry
from incidents.queries import ActionNarrowing
from incidents.templatetags.record import when
from incidents.values import (
    ActionKind,
    ActionState,
    CaseState,
    CauseKind,
    Precision,
    Priority,
    Severity,
    When,
)

_CAUSE_HELP = _(
    "Trigger: what set it off. Primary: why it could happen. Contributing, scale and process: what "
    "made it longer, bigger or likelier. Risk: what could have made it worse. Mitigator and luck: "
    "why it was not worse."
)
# How much of a text stands beside its box.
_SHOWN = 120


def _version() -> forms.IntegerField:
    """Return the field of the version that was read, which travels with the form."""
    return forms.IntegerField(required=False, widget=forms.HiddenInput)


def _linked(label: Any) -> forms.TypedMultipleChoiceField:
    return forms.TypedMultipleChoiceField(
        label=label, required=False, coerce=int, widget=forms.CheckboxSelectMultiple
    )


def _text(row: Any) -> str:
    return str(row.text[:_SHOWN])


def _offer(
    form: forms.Form, name: str, rows: list[Any], words: Callable[[Any], str] = _text
) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.TypedMultipleChoiceField)
    field.choices = [(row.pk, words(row)) for row in rows]


class CauseForm(DeskForm):
    """One reason, with the entries that show it and the action items that address it."""

    ids = "cause"

    kind = forms.ChoiceField(label=_("Kind"), choices=CauseKind.choices, help_text=_CAUSE_HELP)
    text = forms.CharField(
        label=_("What it was"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What made it seem right at the time, rather than who should have known."),
    )
    evidence = _linked(_("Entries that show it"))
    addressed_by = _linked(_("Action items that address it"))
    version = _version()

    def __init__(
        self,
        *args: Any,
        entries: list[TimelineEntry],
        actions: list[ActionItem],
        tz: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        _offer(
            self,
            "evidence",
            entries,
            lambda entry: format_html("{}: {}", when(entry, tz), _text(entry)),
        )
        _offer(self, "addressed_by", actions)

    def meant(self) -> dict[str, Any]:
        """Return what the operations take. Valid forms only."""
        named = ("text", "evidence", "addressed_by")
        said = {name: self.cleaned_data[name] for name in named}
        return said | {"kind": CauseKind(self.cleaned_data["kind"])}


class VendorCaseForm(DeskForm):
    """A case at a vendor's support."""

    ids = "case"

    provider = forms.CharField(label=_("Vendor"), max_length=100)
    reference = forms.CharField(label=_("Its number there"), required=False, max_length=100)
    url = forms.URLField(
        label=_("Its address"), required=False, max_length=500, assume_scheme="https"
    )
    state = forms.ChoiceField(label=_("State"), choices=CaseState.choices)
    opened = FuzzyDateField(label=_("Opened"), required=False)
    promised = FuzzyDateField(label=_("Promised by"), required=False)
    note = forms.CharField(
        label=_("What they say"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    version = _version()

    def __init__(self, *args: Any, tz: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("opened", "promised"):
            field = self.fields[name]
            assert isinstance(field, FuzzyDateField)
            field.tz = tz

    def meant(self) -> dict[str, Any]:
        """Return what ``operations.write_vendor_case`` takes. Valid forms only."""
        data = dict(self.cleaned_data)
        note = data.pop("note")
        return data | {"state": CaseState(data["state"]), "note_text": note}


class PersonField(forms.ModelChoiceField[User]):
    """Somebody who may sign in, by the name that the record shows."""

    def label_from_instance(self, obj: User) -> str:
        return obj.label()


class ActionForm(DeskForm):
    """Something that shall be done."""

    ids = "action"

    text = forms.CharField(label=_("What shall be done"), widget=forms.Textarea(attrs={"rows": 2}))
    kind = forms.ChoiceField(
        label=_("Kind"), required=False, choices=[("", _("Not said")), *ActionKind.choices]
    )
    priority = forms.ChoiceField(
        label=_("Priority"), choices=Priority.choices, initial=Priority.MEDIUM
    )
    owner = PersonField(
        label=_("Owner"),
        required=False,
        queryset=User.objects.filter(is_active=True).order_by("username"),
        empty_label=_("Nobody at the desk"),
    )
    owner_label = forms.CharField(
        label=_("Or a team"), required=False, max_length=140, help_text=_("“Database team”.")
    )
    due = FuzzyDateField(label=_("Due"), required=False)
    check_by = forms.CharField(
        label=_("How we will know that it works"), required=False, max_length=300
    )
    addresses = _linked(_("Causes that it addresses"))
    is_public = forms.BooleanField(
        label=_("Customers may see it"),
        required=False,
        help_text=_(
            "On the public page of the incident: the text above, its state and when it is due or "
            "was done. No names, no links, no reasons."
        ),
    )
    version = _version()

    def __init__(self, *args: Any, tz: str, causes: list[RootCause], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        due = self.fields["due"]
        assert isinstance(due, FuzzyDateField)
        due.tz = tz
        if causes:
            _offer(self, "addresses", causes)
        else:
            del self.fields["addresses"]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.cleaned_data.get("owner") and self.cleaned_data.get("owner_label"):
            self.add_error("owner_label", gettext("Name a person or a team, not both."))
        return cleaned


class MoveActionForm(DeskForm):
    """A new state. What a state needs is asked for with it."""

    ids = "move"

    state = forms.ChoiceField(label=_("State"), choices=ActionState.choices)
    done = FuzzyDateField(label=_("Done on"), required=False)
    proof = forms.CharField(
        label=_("What shows that it is done"),
        required=False,
        max_length=500,
        help_text=_("A link, or a few words."),
    )
    reason = forms.CharField(label=_("Reason"), required=False, max_length=300)
    version = _version()

    def __init__(self, *args: Any, tz: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        done = self.fields["done"]
        assert isinstance(done, FuzzyDateField)
        done.tz = tz
        done.help_text = gettext("Needed for “Done”: 2026-01-15, or 2026-01-15 to 2026-01-17.")
        self.fields["reason"].help_text = gettext(
            "Needed for “Will not be done”; for “Delayed”, say what it waits for."
        )

    def clean_done(self) -> When | None:
        done: When | None = self.cleaned_data["done"]
        if done is not None and done.precision != Precision.DAY:
            raise ValidationError(gettext("Say the day, or the days from one to another."))
        return done

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        state = self.cleaned_data.get("state")
        if state == ActionState.DONE and not self.cleaned_data.get("done"):
            if "done" not in self.errors:
                self.add_error("done", gettext("Say on which day it was done."))
        elif state == ActionState.WONT_DO and not self.cleaned_data.get("reason"):
            self.add_error("reason", gettext("Say why it will not be done."))
        return cleaned


class ActionFilterForm(DeskForm):
    """Which action items to list. Nothing chosen: all that are not finished."""

    ids = "filter"
    # Those that stand in sight; the others are folded away.
    first: ClassVar[tuple[str, ...]] = ("q", "state", "owner")

    q = WordsField(label=_("Words, or INC-7"))
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("Not finished")), (queries.ANY, _("Any")), *ActionState.choices],
    )
    owner = forms.ChoiceField(label=_("Owner"), required=False)
    priority = forms.ChoiceField(
        label=_("Priority"), required=False, choices=[("", _("Any")), *Priority.choices]
    )
    kind = forms.ChoiceField(
        label=_("Kind"), required=False, choices=[("", _("Any")), *ActionKind.choices]
    )
    severity = forms.ChoiceField(
        label=_("Severity"), required=False, choices=[("", _("Any")), *Severity.choices]
    )
    due_before = DayField(label=_("Due before"))
    overdue = forms.BooleanField(label=_("Overdue only"), required=False)
    beyond = forms.BooleanField(label=_("Beyond the policy only"), required=False)
    public = forms.BooleanField(label=_("Shown to customers only"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        owner = self.fields["owner"]
        assert isinstance(owner, forms.ChoiceField)
        owner.choices = [
            ("", gettext("Anybody")),
            (queries.MINE, gettext("Mine")),
            (queries.NOBODY, gettext("Nobody")),
            *((str(user.pk), user.label()) for user in queries.action_owners()),
        ]

    @property
    def narrowing(self) -> ActionNarrowing:
        """What the list is narrowed to: what cannot be meant narrows nothing. Cleaned forms."""
        found = {name: value for name, value in self.cleaned_data.items() if value}
        return ActionNarrowing(words=found.pop("q", "").strip(), **found)

    @property
    def query(self) -> str:
        """The choices as an address writes them. Cleaned forms only."""
        asked = QueryDict(mutable=True)
        for name, value in self.cleaned_data.items():
            if value:
                asked[name] = _as_typed(value)
        return asked.urlencode()

    def first_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.first if name in self.fields]

    def rare_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in self.first]

    @property
    def is_rare(self) -> bool:
        """Whether anything narrows that is folded away."""
        return any(self.data.get(name) for name in self.fields if name not in self.first)


def _as_typed(value: Any) -> str:
    if value is True:
        return "on"
    return value.isoformat() if isinstance(value, date) else str(value)


class ActionViewForm(DeskForm):
    """A name for what the list is narrowed to."""

    ids = "view"

    name = forms.CharField(label=_("Name"), max_length=60)
    is_shared = forms.BooleanField(label=_("Others may use it, too"), required=False)
