"""Uploaded pictures, made anew: what is kept and published is a PNG of our own drawing."""

import io

from django.utils.translation import gettext_lazy as _
from PIL import Image, UnidentifiedImageError

from incidents.errors import Refused

# What may be uploaded. SVG may not: a bucket would hand its scripts to browsers as they are.
FORMATS = ("PNG", "JPEG", "WEBP")
MOST_BYTES = 2 * 1024 * 1024
_MOST_SIDE = 6000
_LOGO = (640, 160)
_ICON = 64


class BadPicture(Refused):
    code = "bad-picture"
    message = _("This is no picture that can be shown. Upload a PNG, JPEG or WebP of up to 2 MB.")


def as_logo(upload: bytes) -> bytes:
    """Return a logo of at most 640 x 160 pixels.

    :raises BadPicture: if the upload is no such picture
    """
    picture = _read(upload)
    picture.thumbnail(_LOGO, Image.Resampling.LANCZOS)
    return _png(picture)


def as_icon(upload: bytes) -> bytes:
    """Return an icon of 64 x 64 pixels; what is not square stands in its middle.

    :raises BadPicture: if the upload is no such picture
    """
    picture = _read(upload)
    picture.thumbnail((_ICON, _ICON), Image.Resampling.LANCZOS)
    square = Image.new("RGBA", (_ICON, _ICON))
    square.paste(picture, ((_ICON - picture.width) // 2, (_ICON - picture.height) // 2))
    return _png(square)


def _read(upload: bytes) -> Image.Image:
    if len(upload) > MOST_BYTES:
        raise BadPicture
    try:
        with Image.open(io.BytesIO(upload), formats=FORMATS) as picture:
            # The head says it; a small file may claim to be a huge picture.
            if max(picture.size) > _MOST_SIDE:
                raise BadPicture
            return picture.convert("RGBA")
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        OSError,
        ValueError,
        SyntaxError,
    ) as fault:
        raise BadPicture from fault


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, format="PNG", optimize=True)
    return out.getvalue()
