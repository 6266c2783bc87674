"""A runbook as a markdown document: what is printed, kept elsewhere, and read in any editor."""

from collections.abc import Iterable, Iterator, Sequence

from backups.options.words import to_the_second
from backups.runbook.values import Command, Runbook, Step

WITHOUT = (
    "These need a copy of Highwater's folder and bash, and neither its database nor its workers. "
    "No drill proves them: a drill goes through Highwater. Try them once on a quiet day."
)


def as_markdown(runbook: Runbook) -> str:
    """Return the whole runbook, ending in a line break."""
    return "\n".join(_lines(runbook)).rstrip() + "\n"


def _lines(runbook: Runbook) -> Iterator[str]:
    yield f"# If {runbook.name} is lost"
    yield ""
    yield f"Made from its configuration at {to_the_second(runbook.at)}. An older copy may be wrong."
    yield from _rows("As it stands", runbook.now)
    yield "\n## Who is told\n"
    for contact in runbook.contacts:
        yield f"- **{contact.name}** ({contact.kind}): {contact.address}. {contact.why}"
    if not runbook.contacts:
        yield "Nobody is registered: add a room or a mailbox at the desk."
    for section in runbook.sections:
        yield f"\n## {section.title}\n"
        yield section.body
    yield from _steps("Steps", runbook.steps)
    yield "\n## If Highwater itself is gone\n"
    yield WITHOUT
    yield from _numbered(runbook.by_hand)
    yield from _rows("How long it takes", runbook.expected)
    if runbook.drills:
        yield ""
        yield from (f"- {words}" for words in runbook.drills)
    yield from _rows("Where backups lie", runbook.places)
    yield from _rows("Where they can be restored to", runbook.targets)
    if not runbook.targets:
        yield "Nowhere: register a recovery target."
    yield from _rows("Where the secrets are", runbook.secrets)


def _rows(title: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield f"\n## {title}\n"
    for label, words in rows:
        indent = "  " if label.startswith(" ") else ""
        yield f"{indent}- **{label.strip()}**: {words}"


def _steps(title: str, steps: Sequence[Step]) -> Iterator[str]:
    yield f"\n## {title}"
    yield from _numbered(steps)


def _numbered(steps: Sequence[Step]) -> Iterator[str]:
    for number, step in enumerate(steps, start=1):
        yield f"\n### {number}. {step.title} (`{step.code}`)\n"
        yield from (f"{words}\n" for words in step.words)
        for command in step.commands:
            yield from _command(command)


def _command(command: Command) -> Iterator[str]:
    yield (
        f"{command.when} ({command.proof.words}):" if command.when else (f"({command.proof.words})")
    )
    yield ""
    yield "```"
    yield command.text
    yield "```"
    yield ""
