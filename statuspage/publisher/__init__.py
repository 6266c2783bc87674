"""Publishing: from rows to finished documents in PUBLIC_ROOT, atomically and as one revision."""

from statuspage.publisher.directory import hosts_of
from statuspage.publisher.publish import (
    forget_removed,
    publish_all,
    publish_due,
    publish_now,
    publish_page,
    request_publish,
    request_tenants,
)

__all__ = [
    "forget_removed",
    "hosts_of",
    "publish_all",
    "publish_due",
    "publish_now",
    "publish_page",
    "request_publish",
    "request_tenants",
]
