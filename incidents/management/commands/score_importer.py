import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from incidents.scoring import Score, score_folder, total


class Command(BaseCommand):
    help = "Measure the importer and the lint on documents whose answers are known."
    requires_system_checks = []
    requires_migrations_checks = False

    @staticmethod
    def embedded_servers(_arguments: list[str]) -> frozenset[str]:
        """Return that reading files needs no server."""
        return frozenset()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "folder",
            nargs="?",
            help="where NAME.md and NAME.expected.json lie; the shared examples if not given",
        )
        parser.add_argument("--format", choices=("json", "text"), default="text")

    def handle(self, *, folder: str | None, **options: Any) -> None:
        place = Path(folder or Path(settings.SHARED_DIR) / "examples" / "postmortems")
        if not place.is_dir():
            raise CommandError(f"{place} is no folder. Name one with NAME.md and its answers.")
        scores = score_folder(place)
        if not scores:
            raise CommandError(
                f"{place} has no NAME.md with a NAME.expected.json beside it. Name another folder."
            )
        if options["format"] == "json":
            told = {
                "documents": [_told(score) for score in scores],
                "together": _told(total(scores)),
            }
            self.stdout.write(json.dumps(told, indent=1))
        else:
            self.stdout.write("\n".join(_table([*scores, total(scores)])))


def _told(score: Score) -> dict[str, Any]:
    return asdict(score) | {
        "recall": score.recall,
        "precision": score.precision,
        "times": score.times,
        "lint_recall": score.lint_recall,
    }


def _table(scores: list[Score]) -> Iterator[str]:
    yield (
        f"{'document':36} {'wanted':>6} {'found':>6} {'false':>6} "
        f"{'recall':>7} {'prec.':>7} {'times':>7} {'lint':>7}"
    )
    for score in scores:
        ratios = (score.recall, score.precision, score.times, score.lint_recall)
        yield (
            f"{score.name[:36]:36} {score.wanted:6} {score.found:6} {score.invented:6} "
            + " ".join(f"{'-' if ratio is None else format(ratio, '.3f'):>7}" for ratio in ratios)
        )
        yield from _details(score)


def _details(score: Score) -> Iterator[str]:
    if score.trouble:
        yield f"    refused: {score.trouble.splitlines()[0]}"
    for name, lines in (
        ("missed", score.missed),
        ("time wrong", score.wrong),
        ("false", score.false),
        ("not found by the lint", score.lint_missed),
    ):
        if lines:
            yield f"    {name}: {', '.join(str(line) for line in lines)}"
