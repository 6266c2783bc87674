"""Fields that several forms share: times in an incident's zone, fuzzy dates, component states."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.forms.utils import ErrorDict
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from incidents.forms.fuzzy import FORMS, read_fuzzy
from incidents.forms.rendering import DeskRenderer
from incidents.models import Component
from incidents.times import OutOfTime, is_in_time
from incidents.values import LONGEST_TEXT, ComponentStatus, When, zone

_TOO_LONG = gettext_lazy(
    "A text has at most %(limit_value)d characters, and this is %(show_value)d. Shorten it; what "
    "you typed still stands here."
)


class DeskForm(forms.Form):
    """A form whose ids are its own, so that several stand on one page."""

    ids: ClassVar[str] = "id"
    default_renderer = DeskRenderer()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("auto_id", f"{self.ids}_%s")
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            _cap(field)

    def show_unjudged(self) -> None:
        """Show what was typed so far without saying what is wrong with it."""
        self._errors = ErrorDict()


def _cap(field: forms.Field) -> None:
    """Let a text end somewhere, where its form names no end; the browser cuts nothing off it."""
    if not isinstance(field, forms.CharField) or not isinstance(field.widget, forms.Textarea):
        return
    if field.max_length is not None:
        return
    field.max_length = LONGEST_TEXT
    field.validators = [*field.validators, MaxLengthValidator(LONGEST_TEXT, _TOO_LONG)]
    field.widget.attrs["data-limit"] = LONGEST_TEXT


class _Typed(str):
    """A wall clock as it was typed, and which of the two is meant if it came twice."""

    __slots__ = ("which",)
    which: str


class LocalTimeInput(forms.DateTimeInput):
    """Day and time in a zone. Beside a time that came twice it asks which of the two is meant."""

    tz = "UTC"
    # Whether the form asks by itself.
    asks = True

    def __init__(self, *, seconds: bool = False) -> None:
        attrs = {"type": "datetime-local"} | ({"step": "1"} if seconds else {})
        super().__init__(attrs=attrs, format=f"%Y-%m-%dT%H:%M{':%S' if seconds else ''}")

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        value = super().value_from_datadict(data, files, name)
        if not value:
            return value
        typed = _Typed(value)
        typed.which = data.get(f"{name}_which", "")
        return typed

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        box = super().render(name, value, attrs, renderer)
        local = value if isinstance(value, datetime) else _wall_clock(value)
        if local is None or not self.asks or (both := _both(local, self.tz)) is None:
            return box
        # What stands there already says by itself which it is.
        chosen = getattr(value, "which", "")
        if isinstance(value, datetime):
            chosen = "second" if value.fold else "first"
        first, second = _called(both)
        options = (("", _("Which of the two?")), ("first", first), ("second", second))
        said = format_html_join(
            "",
            '<option value="{}"{}>{}</option>',
            (
                (key, SafeString(" selected" if key == chosen else ""), label)
                for key, label in options
            ),
        )
        return format_html(
            '{}<select name="{}_which" aria-label="{}">{}</select>',
            box, name, _("Which of the two times"), said,
        )  # fmt: skip


class LocalTimeField(forms.Field):
    """A moment that is typed, and shown again, in one zone: ``tz``, which the form sets.

    A wall clock that came twice is asked about, unless the form does so itself: ``asks``.
    """

    widget = LocalTimeInput

    def __init__(self, *, asks: bool = True, seconds: bool = False, **kwargs: Any) -> None:
        super().__init__(widget=LocalTimeInput(seconds=seconds), **kwargs)
        self.widget.asks = asks

    @property
    def tz(self) -> str:
        tz: str = self.widget.tz
        return tz

    @tz.setter
    def tz(self, tz: str) -> None:
        self.widget.tz = tz

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(zone(self.tz)).replace(tzinfo=None)
        return value

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        typed = _wall_clock(value)
        if typed is None:
            raise ValidationError(_("Write day and time, as in 2026-01-12T00:30."), code="invalid")
        local = typed.replace(tzinfo=zone(self.tz))
        if not is_in_time(local):
            raise ValidationError(str(OutOfTime.message), code=OutOfTime.code)
        if self.widget.asks and (both := _both(typed, self.tz)):
            return self._meant(both, value)
        at = local.astimezone(UTC)
        if at.astimezone(zone(self.tz)).replace(tzinfo=None) != local.replace(tzinfo=None):
            raise ValidationError(
                _("There is no such time on that day: the clocks go forward over it."),
                code="skipped",
            )
        return at

    def _meant(self, both: tuple[datetime, datetime], value: Any) -> datetime:
        match getattr(value, "which", ""):
            case "first":
                return both[0]
            case "second":
                return both[1]
        raise ValidationError(
            _("%(clock)s came twice on that day in %(tz)s. Choose which of the two you mean.")
            % {"clock": f"{both[0].astimezone(zone(self.tz)):%H:%M}", "tz": self.tz},
            code="twice",
        )


def tell_zone(form: forms.Form, tz: str) -> str:
    """Let every time of a form be typed in the zone in which it was shown; return that.

    It travels with the form, so that a choice made meanwhile in another tab changes nothing. A form
    that is shown for the first time is shown in ``tz``.
    """
    typed = str(form.data.get("in_zone") or tz)
    try:
        zone(typed)
    except ValueError:
        typed = tz
    form.fields["in_zone"] = forms.CharField(
        required=False, max_length=64, initial=typed, widget=forms.HiddenInput
    )
    for field in form.fields.values():
        if isinstance(field, LocalTimeField):
            field.tz = typed
    return typed


def _wall_clock(value: Any) -> datetime | None:
    """Return what was typed, without a zone; None if it is no day and time."""
    try:
        return datetime.fromisoformat(str(value)).replace(tzinfo=None)
    except ValueError:
        return None


def _both(local: datetime, tz: str) -> tuple[datetime, datetime] | None:
    """Return both moments of a wall clock that came twice; None for all others."""
    here = zone(tz)
    try:
        early, late = (local.replace(tzinfo=here, fold=fold).astimezone(UTC) for fold in (0, 1))
        was = early.astimezone(here)
    except OverflowError:
        return None
    # In the hour that the clocks leave out, the two differ as well, and neither was.
    came = was.replace(tzinfo=None, fold=0) == local.replace(fold=0)
    return (early, late) if early != late and came else None


def _called(both: tuple[datetime, datetime]) -> tuple[str, str]:
    return (
        _("The first: %s UTC") % f"{both[0]:%H:%M}",
        _("The second: %s UTC") % f"{both[1]:%H:%M}",
    )


class FuzzyDateField(forms.CharField):
    """A day, month, quarter or year, or a range of them, as people say it. Cleans to a When."""

    tz = "UTC"

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("help_text", FORMS)
        kwargs.setdefault("max_length", 60)
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        return value.said if isinstance(value, When) else value

    def clean(self, value: Any) -> When | None:
        words = super().clean(value)
        if not words:
            return None
        try:
            return read_fuzzy(words, tz=self.tz)
        except ValueError as fault:
            raise ValidationError(str(fault), code="invalid") from fault


def full_name(component: Component) -> str:
    return f"{component.group.name} - {component.name}" if component.group else component.name


class ComponentField(forms.ModelChoiceField[Component]):
    """One component, called by its group, too."""

    def label_from_instance(self, obj: Component) -> str:
        return full_name(obj)


class ComponentsField(forms.ModelMultipleChoiceField[Component]):
    """Any number of components, called by their groups, too."""

    def label_from_instance(self, obj: Component) -> str:
        return full_name(obj)


class ComponentsForm(DeskForm):
    """A form with a state to choose for each component; those left alone are not mentioned."""

    unchanged = gettext_lazy("No change")

    def __init__(
        self, *args: Any, components: Iterable[Component] = (), affected: Iterable[int] = (),
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(*args, **kwargs)
        self.affected = set(affected)
        self._rows = {
            f"component_{component.pk}": component
            for component in components
            if not component.is_group
        }
        # Said once for all of them: there may be a hundred.
        words = {status.value: str(status.label) for status in ComponentStatus}
        choices = [("", str(self.unchanged)), *words.items()]
        for name, component in self._rows.items():
            self.fields[name] = forms.ChoiceField(
                label=full_name(component),
                required=False,
                help_text=words[component.status],
                choices=choices,
            )

    def affected_fields(self) -> Iterator[forms.BoundField]:
        """Yield the fields of the components that the incident is about."""
        return (self[name] for name, row in self._rows.items() if row.pk in self.affected)

    def other_fields(self) -> Iterator[forms.BoundField]:
        """Yield the fields of all other components."""
        return (self[name] for name, row in self._rows.items() if row.pk not in self.affected)

    @property
    def component_statuses(self) -> Mapping[int, ComponentStatus]:
        """The states that were chosen, by the component's id. Valid forms only."""
        return {
            row.pk: ComponentStatus(self.cleaned_data[name])
            for name, row in self._rows.items()
            if self.cleaned_data.get(name)
        }

    @property
    def leaves_all_working(self) -> bool:
        """Whether all that the incident is about shows as working behind this, as now."""
        chosen = set(map(str, self.component_statuses.values())) - {ComponentStatus.OPERATIONAL}
        shown = {row.status for row in self._rows.values() if row.pk in self.affected}
        return not chosen and shown <= {ComponentStatus.OPERATIONAL}

    def chosen_components(self) -> list[tuple[str, ComponentStatus]]:
        """Return the names and states of what was chosen. Valid forms only."""
        names = {row.pk: full_name(row) for row in self._rows.values()}
        return [(names[pk], status) for pk, status in self.component_statuses.items()]
