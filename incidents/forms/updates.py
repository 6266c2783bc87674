"""Forms on what customers are told."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from string import Formatter
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from incidents.drafting import Source, quiet_night
from incidents.forms.fields import DeskForm, LocalTimeField, tell_zone
from incidents.forms.messages import MessageForm
from incidents.plans import UpdatePlan
from incidents.values import ComponentStatus, Confidence, Phase, When, zone

_WEEK_MINUTES = 7 * 24 * 60


class UpdateForm(MessageForm):
    """A message to customers, with what it says of the time to come."""

    ids = "update"

    phase = forms.ChoiceField(
        label=_("Phase"),
        choices=[choice for choice in Phase.choices if choice[0] != Phase.RESOLVED],
    )
    body = forms.CharField(
        label=_("Message to customers"),
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("What is known, and what it means for them. Markdown: **bold**, lists, links."),
    )
    next_minutes = forms.IntegerField(
        label=_("Next update within, in minutes"),
        required=False,
        min_value=1,
        max_value=_WEEK_MINUTES,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    next_at = LocalTimeField(label=_("Or next update by"), required=False)
    eta_from = LocalTimeField(label=_("Back from"), required=False)
    eta_until = LocalTimeField(label=_("Until"), required=False)
    eta_basis = forms.CharField(
        label=_("What the estimate rests on"),
        required=False,
        max_length=300,
        help_text=_("“The speed of the copy in the last hour.”"),
    )
    eta_confidence = forms.ChoiceField(
        label=_("How sure of it we are"),
        required=False,
        choices=[("", _("Not said")), *Confidence.choices],
    )
    public_title = forms.CharField(
        label=_("Title, as customers would say it"),
        required=False,
        max_length=140,
        # Another may have changed it since: only what was typed here counts.
        show_hidden_initial=True,
        help_text=_("They have not read it yet. This is the title on the status page."),
    )
    works = forms.BooleanField(
        label=_("Publish it with all components operational"), required=False
    )
    says_quiet = forms.BooleanField(label=_("Say that the night stays quiet"), required=False)
    key = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    # What a proposed body was made from, to be shown beside it.
    made_from: Sequence[Source] = ()
    # Whether somebody has to say that all components work, since the form says so.
    asks_works = False
    # Whether what was typed is shown again, rather than a form that is offered anew.
    is_shown_again = False

    def __init__(
        self,
        *args: Any,
        now: datetime,
        tz: str,
        typed_in: str = "",
        quiet_until: datetime | None = None,
        may_resolve: bool = False,
        proposed: Mapping[int, ComponentStatus] | None = None,
        asks_title: bool = False,
        **kwargs: Any,
    ) -> None:
        """``tz`` is what customers are told in; times are typed in ``typed_in``, if another.

        ``proposed`` are states by the component's id: to leave all of these as they are is asked
        about. ``asks_title``: whether customers have not read the title yet.
        """
        super().__init__(*args, **kwargs)
        self.now, self.tz = now, tz
        self.proposed = proposed or {}
        for pk, state in self.proposed.items():
            self.initial.setdefault(f"component_{pk}", state)
        if not asks_title:
            del self.fields["public_title"]
        if may_resolve:
            phase = self.fields["phase"]
            assert isinstance(phase, forms.ChoiceField)
            phase.choices = Phase.choices
        if quiet_until is None:
            del self.fields["says_quiet"]
        else:
            self.fields["says_quiet"].help_text = f"“{quiet_night(quiet_until, zone(tz))}”"
        here = tell_zone(self, typed_in or tz)
        self.fields["next_at"].help_text = (
            gettext("In %s. For a night's rest: this counts when it is filled in.") % here
        )
        self.fields["eta_until"].help_text = gettext("A range is honest; in %s.") % here

    @property
    def says_next(self) -> str:
        """When customers hear next, in short, as the fields say it that may be folded away."""
        at, minutes = self["next_at"].value(), self["next_minutes"].value()
        if at:
            said = f"{at:%Y-%m-%d %H:%M}" if isinstance(at, datetime) else str(at).replace("T", " ")
            said = gettext("by %s") % said
        else:
            said = gettext("within %s min") % minutes if minutes else gettext("as usual")
        if "says_quiet" in self.fields and self["says_quiet"].value():
            said += gettext(", and that the night stays quiet")
        return said

    @property
    def opens_next(self) -> bool:
        """Whether something is wrong with when they hear next."""
        return bool(self.is_bound and {"next_at", "next_minutes"} & set(self.errors))

    def clean_next_at(self) -> datetime | None:
        return self._still_to_come("next_at")

    def clean_eta_from(self) -> datetime | None:
        at: datetime | None = self.cleaned_data["eta_from"]
        return at

    def clean_eta_until(self) -> datetime | None:
        return self._still_to_come("eta_until")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        starts, ends = self.cleaned_data.get("eta_from"), self.cleaned_data.get("eta_until")
        if ends and not starts:
            self.add_error("eta_from", gettext("A range needs its beginning."))
        elif starts and ends and ends < starts:
            self.add_error("eta_until", gettext("The end is before the start."))
        elif starts and not ends and "eta_until" not in self.errors and starts <= self.now:
            self.add_error("eta_from", gettext("This time has passed already."))
        self._say_quiet()
        if self.proposed and not self.may_have_blanks:
            self._ask_whether_all_works()
        return cleaned

    def _ask_whether_all_works(self) -> None:
        """Ask before a grave incident goes out while every component of it shows as working."""
        self.asks_works = self.leaves_all_working
        if (
            self.asks_works
            and self.cleaned_data.get("phase") != Phase.MONITORING
            and not self.cleaned_data.get("works")
        ):
            self.add_error(
                "works",
                gettext(
                    "The page would say that all works. Choose how the components suffer, or say "
                    "that it is meant so."
                ),
            )

    @property
    def new_title(self) -> str:
        """What the incident shall be called; empty for the title that it has. Valid forms only."""
        title: str = self.cleaned_data.get("public_title", "")
        return title if "public_title" in self.changed_data else ""

    def _say_quiet(self) -> None:
        """Say in the message until when the night stays quiet, unless it says so already."""
        body, due_at = self.cleaned_data.get("body"), self.cleaned_data.get("next_at")
        if not (self.cleaned_data.get("says_quiet") and body):
            return
        if due_at is None:
            self.add_error("next_at", gettext("Say until when customers hear nothing."))
            return
        sentence = quiet_night(due_at, zone(self.tz))
        if sentence not in body:
            self.cleaned_data["body"] = f"{body}\n\n{sentence}"

    @property
    def eta(self) -> When | None:
        """When the service shall be back, if that was said. Valid forms only."""
        starts, ends = self.cleaned_data["eta_from"], self.cleaned_data["eta_until"]
        return When(at=starts, until=ends, tz=self.tz) if starts else None

    @property
    def plan(self) -> UpdatePlan:
        """All that the update brings beside its words. Valid forms only."""
        at: datetime | None = self.cleaned_data["next_at"]
        minutes: int | None = self.cleaned_data["next_minutes"]
        return UpdatePlan(
            component_statuses=self.component_statuses,
            next_update_at=at,
            # Counted from when customers read it, which may be later than now.
            next_update_in=timedelta(minutes=minutes) if minutes and at is None else None,
            eta=self.eta,
            eta_basis=self.cleaned_data["eta_basis"] if self.eta else "",
            eta_confidence=self.cleaned_data["eta_confidence"] if self.eta else "",
        )

    @property
    def next_update_at(self) -> datetime | None:
        """When customers hear next, if that was said. Valid forms only."""
        at: datetime | None = self.cleaned_data["next_at"]
        minutes: int | None = self.cleaned_data["next_minutes"]
        if at is None and minutes is not None:
            return self.now + timedelta(minutes=minutes)
        return at

    def _still_to_come(self, name: str) -> datetime | None:
        at: datetime | None = self.cleaned_data[name]
        if at is not None and at <= self.now:
            raise forms.ValidationError(gettext("This time has passed already."))
        return at


class ReasonForm(DeskForm):
    """Why an update is given back, or goes out without approval."""

    ids = "reason"

    reason = forms.CharField(label=_("Why"), max_length=200, help_text=_("Stands on the timeline."))
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)


class CorrectForm(DeskForm):
    ids = "correct"

    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    body = forms.CharField(
        label=_("What customers read from now on"), widget=forms.Textarea(attrs={"rows": 6})
    )
    reason = forms.CharField(
        label=_("Why it is corrected"),
        required=False,
        max_length=200,
        help_text=_("For the record. The page shows that the update was edited."),
    )


class TemplateForm(DeskForm):
    """Staff's own words for an update that a job proposes."""

    ids = "template"

    body = forms.CharField(label=_("What customers are told"), widget=forms.Textarea)

    def __init__(self, *args: Any, names: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._names = names

    def clean_body(self) -> str:
        body: str = self.cleaned_data["body"]
        try:
            used = [(name, spec, turn) for _text, name, spec, turn in Formatter().parse(body)]
        except ValueError as fault:
            raise forms.ValidationError(
                gettext("A brace is open. Names stand in braces, as in {percent}.")
            ) from fault
        allowed = ", ".join(f"{{{name}}}" for name in self._names)
        for name, spec, turn in used:
            if name is not None and (name not in self._names or spec or turn):
                raise forms.ValidationError(
                    gettext("There is no {%(name)s}. You may use %(allowed)s.")
                    % {"name": name, "allowed": allowed}
                )
        return body
