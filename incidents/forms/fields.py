"""Fields that several forms share: times in an incident's zone, fuzzy dates, component states."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import ErrorDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from incidents.forms.fuzzy import FORMS, read_fuzzy
from incidents.forms.rendering import DeskRenderer
from incidents.models import Component
from incidents.times import OutOfTime, is_in_time
from incidents.values import ComponentStatus, When, zone


class DeskForm(forms.Form):
    """A form whose ids are its own, so that several stand on one page."""

    ids: ClassVar[str] = "id"
    default_renderer = DeskRenderer()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("auto_id", f"{self.ids}_%s")
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)

    def show_unjudged(self) -> None:
        """Show what was typed so far without saying what is wrong with it."""
        self._errors = ErrorDict()


class LocalTimeField(forms.Field):
    """A moment that is typed, and shown again, in one zone: ``tz``, which the form sets."""

    tz = "UTC"
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(zone(self.tz)).replace(tzinfo=None)
        return value

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            local = datetime.fromisoformat(str(value)).replace(tzinfo=zone(self.tz))
        except ValueError as fault:
            raise ValidationError(
                _("Write day and time, as in 2026-01-12T00:30."), code="invalid"
            ) from fault
        if not is_in_time(local):
            raise ValidationError(str(OutOfTime.message), code=OutOfTime.code)
        at = local.astimezone(UTC)
        if at.astimezone(zone(self.tz)).replace(tzinfo=None) != local.replace(tzinfo=None):
            raise ValidationError(
                _("There is no such time on that day: the clocks go forward over it."),
                code="skipped",
            )
        return at


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

    def chosen_components(self) -> list[tuple[str, ComponentStatus]]:
        """Return the names and states of what was chosen. Valid forms only."""
        names = {row.pk: full_name(row) for row in self._rows.values()}
        return [(names[pk], status) for pk, status in self.component_statuses.items()]
