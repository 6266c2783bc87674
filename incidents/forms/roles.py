"""Forms on people: who holds a role, who hands over to whom, who may know."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.forms.fields import DeskForm, LocalTimeField, tell_zone
from incidents.forms.learning import PersonField
from incidents.models import Incident, RoleAssignment
from incidents.queries import named_incident
from incidents.values import Role, RoleReason

# Nobody hands over because an incident is being declared.
_REASONS = [
    ("", _("Not said")),
    *(choice for choice in RoleReason.choices if choice[0] != RoleReason.DECLARED),
]


def _staff() -> QuerySet[User]:
    return User.objects.filter(is_active=True, is_staff=True).order_by("username")


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _reason() -> forms.ChoiceField:
    return forms.ChoiceField(label=_("Why it changes hands"), required=False, choices=_REASONS)


class PartingForm(DeskForm):
    """What whoever gives a role up leaves behind."""

    ids = "leave"

    reason = _reason()
    handover = forms.CharField(
        label=_("What whoever comes next must know"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Stands on the timeline and on the handover page, for staff."),
    )
    resting_until_at = LocalTimeField(label=_("Not to be woken before"), required=False)

    def __init__(self, *args: Any, tz: str, now: datetime, **kwargs: Any) -> None:
        """``tz`` is the zone in which the time is typed."""
        super().__init__(*args, **kwargs)
        self.now = now
        here = tell_zone(self, tz)
        rest = self.fields["resting_until_at"]
        rest.help_text = gettext("In %s. Empty: they can be asked at any time.") % here

    def clean_resting_until_at(self) -> datetime | None:
        until: datetime | None = self.cleaned_data["resting_until_at"]
        if until is not None and until <= self.now:
            raise forms.ValidationError(gettext("That rest would be over already."))
        return until


class HandoverForm(PartingForm):
    """Which roles go to whom."""

    ids = "handover"

    roles = forms.TypedMultipleChoiceField(
        label=_("Roles"), required=False, coerce=int, widget=forms.CheckboxSelectMultiple
    )
    holder = PersonField(label=_("To"), queryset=_staff())

    field_order = ("roles", "holder", "handover", "resting_until_at", "reason")

    def __init__(
        self, *args: Any, held: Iterable[RoleAssignment], reader: User, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        rows = list(held)
        roles = self.fields["roles"]
        assert isinstance(roles, forms.TypedMultipleChoiceField)
        roles.choices = [
            (row.pk, f"{row.get_role_display()} ({row.holder.label()})") for row in rows
        ]
        roles.initial = [row.pk for row in rows if row.holder_id == reader.pk]
        roles.error_messages["invalid_choice"] = gettext(
            "The role has changed hands meanwhile. Look who holds it now, and try again."
        )

    def clean_roles(self) -> list[int]:
        chosen: list[int] = self.cleaned_data["roles"]
        if not chosen:
            raise forms.ValidationError(gettext("Choose at least one role to hand over."))
        return chosen


class RoleForm(DeskForm):
    """A role for somebody."""

    ids = "role"

    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)
    holder = PersonField(label=_("Person"), queryset=_staff())
    reason = _reason()


class CorrectRoleForm(DeskForm):
    """From when until when somebody held a role."""

    ids = "correct"

    from_at = LocalTimeField(label=_("From"))
    until_at = LocalTimeField(label=_("Until"))
    reason = forms.CharField(
        label=_("Why it is changed"),
        required=False,
        max_length=200,
        help_text=_("Stays in the history, beside what it said before."),
    )

    def __init__(self, *args: Any, assignment: RoleAssignment, tz: str, **kwargs: Any) -> None:
        kwargs.setdefault(
            "initial", {name: getattr(assignment, name) for name in ("from_at", "until_at")}
        )
        super().__init__(*args, **kwargs)
        self._before = assignment
        here = tell_zone(self, tz)
        for name in ("from_at", "until_at"):
            self.fields[name].help_text = gettext("In %s.") % here
        if assignment.until_at is None:
            # What is still held is ended by handing it over.
            del self.fields["until_at"]

    def moment(self, name: str) -> datetime | None:
        """Return a time; to the second as it was, if nobody changed its minute. Valid forms only.

        Two periods that met go on meeting.
        """
        was: datetime | None = getattr(self._before, name)
        typed: datetime | None = self.cleaned_data.get(name)
        if was is not None and typed is not None and _minute(typed) == _minute(was):
            return was
        return typed


class MemberForm(DeskForm):
    """Somebody who shall know."""

    ids = "member"

    person = PersonField(label=_("Person"), queryset=_staff())


class OtherIncidentForm(DeskForm):
    """Another incident, by its number."""

    ids = "other"

    other = forms.CharField(
        label=_("The other incident"),
        max_length=30,
        widget=forms.TextInput(attrs={"placeholder": "INC-7", "autocomplete": "off"}),
        help_text=_("Its short name, as in INC-7."),
    )

    def __init__(self, *args: Any, reader: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._reader = reader

    def clean_other(self) -> Incident:
        """Return the incident that is named, if the reader may know of it."""
        typed: str = self.cleaned_data["other"].strip()
        number = named_incident(f"#{typed}" if typed.isdecimal() else typed)
        found = Incident.objects.seen_by(self._reader).filter(pk=number or 0).first()
        if found is None:
            raise forms.ValidationError(gettext("There is no incident of this name."))
        return found
