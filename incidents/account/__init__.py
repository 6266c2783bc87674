"""The whole account of an incident as plain values, written as a document and read back.

Pure: no row, no request and no clock. ``incidents.queries.account`` fills a ``Record`` from the
tables, and ``incidents.operations.account`` writes one into them.
"""

from incidents.account.customers import for_customers
from incidents.account.markdown import write_markdown, write_plain
from incidents.account.numbering import body_of, numbered, subject_of
from incidents.account.page import body_html, document_html, published_html, record_html
from incidents.account.pdf import write_pdf
from incidents.account.reading import NotAnAccount, is_account, read_account
from incidents.account.record import (
    Action,
    Case,
    Cause,
    Change,
    Dismissal,
    Entry,
    Impact,
    Link,
    Promise,
    Record,
    Section,
    Time,
    Update,
)
from incidents.account.references import BLOCKS, INLINE, unknown_references

__all__ = [
    "BLOCKS",
    "INLINE",
    "Action",
    "Case",
    "Cause",
    "Change",
    "Dismissal",
    "Entry",
    "Impact",
    "Link",
    "NotAnAccount",
    "Promise",
    "Record",
    "Section",
    "Time",
    "Update",
    "body_html",
    "body_of",
    "document_html",
    "for_customers",
    "is_account",
    "numbered",
    "published_html",
    "read_account",
    "record_html",
    "subject_of",
    "unknown_references",
    "write_markdown",
    "write_pdf",
    "write_plain",
]
