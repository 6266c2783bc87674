"""What the desk asks about the pages and their followers."""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from accounts.models import User
from credentials import REFERENCE
from incidents import queries
from incidents.forms.fields import ComponentsField, DeskForm
from incidents.forms.incident import zone_names
from incidents.models import Component
from statuspage.models import Access, Language, Page
from statuspage.pictures import FORMATS, MOST_BYTES

_PICTURES = ",".join(f"image/{kind.lower()}" for kind in FORMATS)


class _Viewers(forms.ModelMultipleChoiceField[User]):
    none_yet = "There is nobody yet who has an account and is not staff."


class NewPageForm(DeskForm):
    """Another page of this installation."""

    ids = "new-page"

    name = forms.CharField(label="Name", max_length=140)
    slug = forms.SlugField(
        label="Short name",
        max_length=40,
        help_text="The name of its folder and in commands: acme-eu. It never changes.",
    )
    url = forms.URLField(
        label="Address",
        max_length=500,
        assume_scheme="https",
        help_text="A host of its own, which leads here: https://status.example.com.",
    )


class PageForm(DeskForm):
    """What the page is called, where it lies, and how it speaks."""

    ids = "page"

    name = forms.CharField(
        label="Name",
        max_length=140,
        help_text="Stands on top of the page and before the subject of every message.",
    )
    url = forms.URLField(
        label="Address",
        max_length=500,
        assume_scheme="https",
        help_text=(
            "Where customers find it: https://status.example.com. Its host chooses this page, "
            "and links in messages use it."
        ),
    )
    time_zone = forms.CharField(
        label="Time zone",
        max_length=64,
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
        help_text="The page tells every time by this clock: Europe/Amsterdam, Etc/UTC.",
    )
    language = forms.ChoiceField(
        label="Language",
        choices=Language.choices,
        help_text="Of everything that Highwater says by itself; what you write stays as it is.",
    )
    support_url = forms.URLField(
        label="Link to support",
        required=False,
        max_length=500,
        assume_scheme="https",
        help_text="Where customers can ask; stands on top of the page.",
    )

    def __init__(self, page: Page, *args: Any) -> None:
        super().__init__(*args, initial={name: getattr(page, name) for name in self.base_fields})

    @property
    def zone_names(self) -> list[str]:
        """The names that the browser offers while a zone is typed."""
        return zone_names()


class ContentForm(DeskForm):
    """What the page shows."""

    ids = "content"
    EVERYTHING, CHOSEN = "everything", "chosen"

    shows = forms.ChoiceField(
        label="Components and incidents",
        choices=[
            (EVERYTHING, "Everything that is public"),
            (CHOSEN, "The components chosen here, and the incidents that touch them"),
        ],
        widget=forms.RadioSelect,
    )
    components = ComponentsField(
        label="Components",
        queryset=Component.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=(
            "A group stands for all its members. An incident that names no component is shown "
            "only on pages that show everything."
        ),
    )
    has_my_data = forms.BooleanField(
        label="My data: tenants can look up the state of their own data",
        required=False,
    )
    has_backup_proof = forms.BooleanField(
        label="Proof of backups: when they were last taken, and last proven restorable",
        required=False,
        help_text="Shown only where the page shows everything: it names every database.",
    )

    def __init__(self, page: Page, *args: Any) -> None:
        super().__init__(
            *args,
            initial={
                "shows": self.EVERYTHING if page.shows_everything else self.CHOSEN,
                "components": page.components.all(),
                "has_my_data": page.has_my_data,
                "has_backup_proof": page.has_backup_proof,
            },
        )
        field = self.fields["components"]
        assert isinstance(field, ComponentsField)
        field.queryset = queries.component_tree()

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("shows") == self.CHOSEN and not values.get("components"):
            self.add_error("components", "Choose at least one, or let the page show everything.")
        return values


class LookForm(DeskForm):
    """The page's colour and pictures."""

    ids = "look"

    accent = forms.CharField(
        label="Colour of links and buttons",
        required=False,
        max_length=7,
        widget=forms.TextInput(attrs={"placeholder": "#0a5ca0", "spellcheck": "false"}),
        help_text=(
            "As # and six digits. It must be readable on white (contrast 4.5 to 1); for dark "
            "screens it is lightened by itself. Empty: that of Highwater."
        ),
    )
    logo = forms.FileField(
        label="Logo",
        required=False,
        widget=forms.ClearableFileInput(attrs={"accept": _PICTURES}),
        help_text="PNG, JPEG or WebP of up to 2 MB; it is shown 40 pixels high.",
    )
    no_logo = forms.BooleanField(label="Take the logo away", required=False)
    icon = forms.FileField(
        label="Icon for the browser's tab",
        required=False,
        widget=forms.ClearableFileInput(attrs={"accept": _PICTURES}),
        help_text="Square, PNG, JPEG or WebP. Without one, a dot in the colour of the state.",
    )
    no_icon = forms.BooleanField(label="Take the icon away", required=False)

    def __init__(self, page: Page, *args: Any) -> None:
        super().__init__(*args, initial={"accent": page.accent})
        for name in ("logo", "icon"):
            if not getattr(page, name):
                del self.fields[f"no_{name}"]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for name in ("logo", "icon"):
            values.setdefault(f"no_{name}", False)
            upload = values.get(name)
            if isinstance(upload, UploadedFile) and (upload.size or 0) > MOST_BYTES:
                self.add_error(name, "This file is larger than 2 MB. Upload a smaller one.")
        return values


class AccessForm(DeskForm):
    """Who may read the page."""

    ids = "access"

    access = forms.ChoiceField(
        label="This page can be read by", choices=Access.choices, widget=forms.RadioSelect
    )
    password = forms.CharField(
        label="Password of the page",
        required=False,
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 8 characters. Empty keeps the one that is set.",
    )
    networks = forms.CharField(
        label="Networks",
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text="One a line: 10.0.0.0/8, 203.0.113.7, 2001:db8::/32.",
    )
    viewers = _Viewers(
        label="People who may sign in to read it",
        queryset=User.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=(
            "Staff may always. A superuser adds other people under /desk/admin/, Users, without "
            "“staff status”; then they stand here."
        ),
    )

    def __init__(self, page: Page, *args: Any) -> None:
        super().__init__(
            *args,
            initial={
                "access": page.access,
                "networks": "\n".join(page.networks),
                "viewers": page.viewers.all(),
            },
        )
        field = self.fields["viewers"]
        assert isinstance(field, _Viewers)
        field.queryset = User.objects.filter(is_active=True, is_staff=False).order_by("username")


class DirectoryForm(DeskForm):
    """A directory to which a page is copied."""

    ids = "directory"

    name = forms.CharField(label="Name", max_length=60, help_text="What you call it: “web-2”.")
    path = forms.CharField(
        label="Folder",
        max_length=500,
        help_text=(
            "The whole path of an empty folder that is there: /srv/status, or where another "
            "server’s disk is mounted. The how-to has the lines for its web server."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    has_my_data = forms.BooleanField(
        label="Copy each customer’s own page, too",
        required=False,
        help_text="Only where nobody but us can list the folder: those addresses are secret.",
    )

    def meant(self) -> dict[str, Any]:
        """Return what the operation takes. Valid forms only."""
        return self.cleaned_data


class BucketForm(DeskForm):
    """A bucket to which a page is copied."""

    ids = "bucket"

    name = forms.CharField(label="Name", max_length=60, help_text="What you call it: “cdn”.")
    bucket = forms.CharField(
        label="Bucket",
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    folder = forms.CharField(
        label="Prefix",
        required=False,
        max_length=200,
        help_text="Where the page begins in the bucket. Empty: at its root.",
    )
    endpoint = forms.URLField(
        label="Endpoint",
        required=False,
        max_length=500,
        assume_scheme="https",
        help_text="Of storage that speaks S3 and is not Amazon’s.",
    )
    region = forms.CharField(label="Region", max_length=40, initial="us-east-1")
    uses_path_style = forms.BooleanField(
        label="The bucket stands in the path, not in the host",
        required=False,
        help_text="As MinIO, SeaweedFS and Ceph have it by default.",
    )
    credentials_reference = forms.RegexField(
        label="Where the keys are",
        regex=REFERENCE,
        max_length=300,
        help_text=(
            "settings:NAME, env:NAME (then NAME_ACCESS_KEY and NAME_SECRET_KEY) or file:PATH. "
            "The keys may read, write and delete there, and list it."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    has_my_data = forms.BooleanField(
        label="Copy each customer’s own page, too",
        required=False,
        help_text="Only where nobody but us can list the bucket: those addresses are secret.",
    )

    def meant(self) -> dict[str, Any]:
        """Return what the operation takes. Valid forms only."""
        data = dict(self.cleaned_data)
        # A form has a prefix of its own.
        return data | {"prefix": data.pop("folder")}
