"""Forms on causes and action items."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.forms.fields import DeskForm, FuzzyDateField
from incidents.models import RootCause, TimelineEntry
from incidents.values import ActionKind, ActionState, CauseKind, Precision, Priority, When

_CAUSE_HELP = _(
    "Trigger: what set it off. Primary: why it could happen. Contributing, scale and process: what "
    "made it longer, bigger or likelier. Mitigator and luck: why it was not worse."
)


class CauseForm(DeskForm):
    """One reason, with the entries that show it."""

    ids = "cause"

    kind = forms.ChoiceField(label=_("Kind"), choices=CauseKind.choices, help_text=_CAUSE_HELP)
    text = forms.CharField(
        label=_("What it was"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What made it seem right at the time, rather than who should have known."),
    )
    evidence = forms.TypedMultipleChoiceField(
        label=_("Entries that show it"), required=False, coerce=int,
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip

    def __init__(self, *args: Any, entries: list[TimelineEntry], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["evidence"]
        assert isinstance(field, forms.TypedMultipleChoiceField)
        field.choices = [(entry.pk, entry.text[:120]) for entry in entries]


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
    addresses = forms.TypedMultipleChoiceField(
        label=_("Causes that it addresses"), required=False, coerce=int,
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    is_public = forms.BooleanField(label=_("Customers may see it"), required=False)

    def __init__(
        self, *args: Any, tz: str, causes: list[RootCause] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        due = self.fields["due"]
        assert isinstance(due, FuzzyDateField)
        due.tz = tz
        if causes:
            addresses = self.fields["addresses"]
            assert isinstance(addresses, forms.TypedMultipleChoiceField)
            addresses.choices = [(cause.pk, cause.text[:120]) for cause in causes]
        else:
            # An item that stands keeps the causes that it was written down with.
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
    reason = forms.CharField(label=_("Why it will not be done"), required=False, max_length=300)

    def __init__(self, *args: Any, tz: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        done = self.fields["done"]
        assert isinstance(done, FuzzyDateField)
        done.tz = tz
        done.help_text = gettext("Needed for “Done”: 2026-01-15, or 2026-01-15 to 2026-01-17.")
        self.fields["reason"].help_text = gettext("Needed for “Will not be done”.")

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

    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("Not finished")), ("any", _("Any")), *ActionState.choices],
    )
    owner = forms.ChoiceField(label=_("Owner"), required=False)
    overdue = forms.BooleanField(label=_("Overdue only"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        owner = self.fields["owner"]
        assert isinstance(owner, forms.ChoiceField)
        people = User.objects.filter(action_items__isnull=False).distinct().order_by("username")
        owner.choices = [
            ("", gettext("Anybody")),
            ("none", gettext("Nobody")),
            *((str(user.pk), user.label()) for user in people),
        ]
