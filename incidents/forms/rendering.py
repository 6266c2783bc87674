"""How the desk writes its fields as HTML.

The page of an incident holds some sixty fields and a choice of every entry. Django writes each
option with three templates, which took more time than all else on the page; here it is one string.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.forms.renderers import DjangoTemplates
from django.forms.utils import ErrorList
from django.http import HttpRequest
from django.utils.html import conditional_escape

Widget = Mapping[str, Any]
_FOLDER = "django/forms/widgets/"


class DeskRenderer(DjangoTemplates):
    """Writes the common widgets as Django's templates do, and leaves the others to these."""

    def render(
        self, template_name: str, context: Mapping[str, Any], request: HttpRequest | None = None
    ) -> str:
        if write := _WRITTEN.get(template_name):
            return write(context["widget"])
        if template_name == ErrorList.template_name and not context["errors"]:
            # Of nearly every field.
            return ""
        return super().render(template_name, dict(context), request)


def _input(widget: Widget) -> str:
    value = widget["value"]
    said = "" if value is None else f' value="{conditional_escape(value)}"'
    return f'<input type="{widget["type"]}" name="{widget["name"]}"{said}{_attributes(widget)}>'


def _textarea(widget: Widget) -> str:
    value = conditional_escape(widget["value"] or "")
    # A browser leaves out the first line break.
    return f'<textarea name="{widget["name"]}"{_attributes(widget)}>\n{value}</textarea>'


def _select(widget: Widget) -> str:
    options = "".join(_grouped(widget, _option, '<optgroup label="{}">', "</optgroup>"))
    return f'<select name="{widget["name"]}"{_attributes(widget)}>{options}</select>'


def _option(widget: Widget) -> str:
    value, label = conditional_escape(widget["value"]), conditional_escape(widget["label"])
    return f'<option value="{value}"{_attributes(widget)}>{label}</option>'


def _choices(widget: Widget) -> str:
    attributes = {name: widget["attrs"].get(name) for name in ("id", "class")}
    said = _attributes({"attrs": {name: value for name, value in attributes.items() if value}})
    options = "".join(_grouped(widget, _choice, "<div><label>{}</label>", "</div>"))
    return f"<div{said}>{options}</div>"


def _choice(widget: Widget) -> str:
    of = widget["attrs"].get("id")
    meant = f' for="{conditional_escape(of)}"' if of else ""
    label = conditional_escape(widget["label"])
    return f"<div><label{meant}>{_input(widget)} {label}</label></div>"


def _grouped(
    widget: Widget, write: Callable[[Widget], str], before: str, behind: str
) -> Iterator[str]:
    for name, options, _index in widget["optgroups"]:
        if name:
            yield before.format(conditional_escape(name))
        yield from map(write, options)
        if name:
            yield behind


def _attributes(widget: Widget) -> str:
    return "".join(
        f" {name}" if value is True else f' {name}="{conditional_escape(value)}"'
        for name, value in widget["attrs"].items()
        if value is not False
    )


_WRITTEN: Mapping[str, Callable[[Widget], str]] = {
    **{
        f"{_FOLDER}{name}.html": _input
        for name in ("text", "number", "hidden", "checkbox", "date", "datetime", "email", "url")
    },
    f"{_FOLDER}textarea.html": _textarea,
    f"{_FOLDER}select.html": _select,
    f"{_FOLDER}checkbox_select.html": _choices,
    f"{_FOLDER}radio.html": _choices,
}
