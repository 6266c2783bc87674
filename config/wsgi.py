"""What the web server runs: published documents first, Django for the rest."""

import os

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

from statuspage.serving import LateApplication, PublicSite

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

# Settings that are wrong stop the start. Anything else, such as a database that is away, must
# not: customers read the page just then.
application = PublicSite(
    LateApplication(get_wsgi_application, fatal=(ImproperlyConfigured,)),
    root=settings.PUBLIC_ROOT,
    proxies=settings.TRUSTED_PROXIES,
)
