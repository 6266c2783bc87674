"""What a page shows: everything that is public, or chosen components and what touches them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from incidents.models import Component, Incident, Maintenance

Row = TypeVar("Row", Incident, Maintenance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The components of a page, in the order of the page; ``touching`` is None for all of them."""

    components: list[Component]
    touching: frozenset[int] | None

    def narrow(self, rows: Iterable[Row]) -> list[Row]:
        """Take from rows that came with all they have what this page does not show."""
        found: list[Any] = list(rows)
        if self.touching is None:
            return found
        for row in found:
            row.affected = [part for part in row.affected if part.pk in self.touching]
            for update in row.told:
                update.changes = [
                    change for change in update.changes if change.component_id in self.touching
                ]
        return found
