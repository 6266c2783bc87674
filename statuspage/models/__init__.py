"""The pages, who is told of what they say, and where they are copied to."""

from statuspage.models.attached import Attachment, Override
from statuspage.models.pages import FIRST_PAGE, Access, Language, Page, new_token
from statuspage.models.subscribers import Announcement, Asking, Pace, Subscriber
from statuspage.models.targets import Publication, PublishTarget, TargetKind

__all__ = [
    "FIRST_PAGE",
    "Access",
    "Announcement",
    "Asking",
    "Attachment",
    "Language",
    "Override",
    "Pace",
    "Page",
    "Publication",
    "PublishTarget",
    "Subscriber",
    "TargetKind",
    "new_token",
]
