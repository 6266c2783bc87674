"""What is asked about pages, at the desk and in public."""

from statuspage.forms.pages import (
    AccessForm,
    BucketForm,
    ContentForm,
    DirectoryForm,
    LookForm,
    NewPageForm,
    PageForm,
)
from statuspage.forms.subscribers import ChoicesForm, FollowForm, VouchForm

__all__ = [
    "AccessForm",
    "BucketForm",
    "ChoicesForm",
    "ContentForm",
    "DirectoryForm",
    "FollowForm",
    "LookForm",
    "NewPageForm",
    "PageForm",
    "VouchForm",
]
