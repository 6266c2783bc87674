"""A publisher that a test may kill, or let run into a full disk.

Usage: python -m tests.faults.publisher DEED PUBLIC_ROOT DATABASE_NAME
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import django
from django.conf import settings


def main(deed: str, root: str, database_name: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    settings.DATABASES["default"]["NAME"] = database_name
    settings.PUBLIC_ROOT = Path(root)
    django.setup()
    sys.stdout.write(json.dumps({"kill": _kill, "fill": _fill}[deed](Path(root))) + "\n")


def _kill(_root: Path) -> dict[str, Any]:
    """Publish, and be killed between two files of the revision."""
    from statuspage import publisher  # noqa: PLC0415 - only once the settings are complete
    from statuspage.publisher import site  # noqa: PLC0415

    written = site._Writer.put
    count = 0

    def put(*given: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        if count > 3:
            os.kill(os.getpid(), 9)
        return written(*given, **named)

    site._Writer.put = put  # type: ignore[method-assign]
    publisher.publish_now()
    return {}


def _fill(root: Path) -> dict[str, Any]:
    """Publish, fill the disk, post an update, make room, and publish what is due."""
    from django.utils import timezone  # noqa: PLC0415

    from incidents import operations  # noqa: PLC0415
    from incidents.values import Phase, Severity  # noqa: PLC0415
    from statuspage import publisher  # noqa: PLC0415
    from statuspage.models import Publication  # noqa: PLC0415
    from statuspage.serving import PublicSite  # noqa: PLC0415

    def page() -> str:
        visitor = PublicSite(lambda _environ, _start: [b""], root=root)
        visitor.look()
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}
        return b"".join(visitor(environ, lambda *_given: lambda _body: None)).decode()

    def told() -> list[str]:
        return list(
            Publication.objects.filter(failing_since__isnull=False).values_list(
                "failure", flat=True
            )
        )

    def revisions() -> list[str]:
        return sorted(path.name for path in (root / "pages" / "main" / "revisions").iterdir())

    seen: dict[str, Any] = {}
    incident = operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV2, at=timezone.now(), author=None,
        body="We look into it.",
    )  # fmt: skip
    seen["before"], seen["revisions_before"] = page(), revisions()
    filler = root / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            seen["is_full"] = True
    operations.post_status_update(
        incident_id=incident.pk, body="It was the disk.", phase=Phase.IDENTIFIED,
        at=timezone.now(), author=None,
    )  # fmt: skip
    seen["while_full"], seen["told"] = page(), told()
    seen["revisions_while_full"] = revisions()
    filler.unlink()
    publisher.publish_due()
    seen["after"], seen["told_after"] = page(), told()
    return seen


if __name__ == "__main__":
    main(*sys.argv[1:])
