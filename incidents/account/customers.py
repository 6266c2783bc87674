"""The account as customers may read it: public sections, entries and actions, and no names."""

from dataclasses import replace

from incidents.account.record import Record


def for_customers(record: Record) -> Record:
    """Return the part of a record that its public sections may tell from.

    Who did what is nobody else's business, nor are one customer's own impacts, addresses of staff's
    tools, and what was decided about findings. Of causes, a section says what it names.
    """
    entries = tuple(
        replace(one, actor="", tags=(), outcome="", links=(), is_public=False, is_pinned=False)
        for one in record.entries
        if one.is_public
    )
    shown = {one.n for one in entries}
    return replace(
        record,
        entries=entries,
        updates=tuple(replace(one, author="") for one in record.updates if one.entry in shown),
        impacts=tuple(one for one in record.impacts if not one.tenant),
        causes=tuple(replace(one, case=None, evidence=()) for one in record.causes),
        actions=tuple(
            replace(
                one, owner="", owner_label="", reason="", check="", proof="", tracker_url="",
                is_public=False, addresses=(),
            )
            for one in record.actions
            if one.is_public
        ),
        dismissals=(),
        sections=tuple(one for one in record.sections if one.is_public),
    )  # fmt: skip
