"""Serving the published page before Django: from memory, without a database, a broker or a worker.

Nothing in this package imports Django. `manifest` is what publisher and server agree on,
`memory` what the server holds, `middleware` what it answers, `late` what stands behind it.
"""

from statuspage.serving.late import LateApplication
from statuspage.serving.middleware import PublicSite

__all__ = ["LateApplication", "PublicSite"]
