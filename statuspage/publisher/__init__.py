"""Publishing: from rows to finished documents in PUBLIC_ROOT, atomically and as one revision."""

from statuspage.publisher.publish import publish_all, publish_due, publish_now, request_publish

__all__ = ["publish_all", "publish_due", "publish_now", "request_publish"]
