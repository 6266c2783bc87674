"""What the web server runs: published documents first, Django for the rest."""

import gc
import os
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

from statuspage.serving import LateApplication, PublicSite

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")


def _start() -> "WSGIApplication":
    application = get_wsgi_application()
    # Every few updates that are posted the collector looks through all there is: 40 ms of the
    # poster's wait for what the start has loaded, of which nothing is ever let go.
    gc.collect()
    gc.freeze()
    # Apps are loaded by now.
    from config import watchdog  # noqa: PLC0415 - see above

    watchdog.start()
    return application


# Settings that are wrong stop the start. Anything else, such as a database that is away, must
# not: customers read the page just then.
application = PublicSite(
    LateApplication(_start, fatal=(ImproperlyConfigured,)),
    root=settings.PUBLIC_ROOT,
    proxies=settings.TRUSTED_PROXIES,
)
