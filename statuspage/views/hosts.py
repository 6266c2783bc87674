"""Which page a visitor is at, and which visitor it is, as far as anybody may know."""

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from statuspage.models import Page
from statuspage.publisher.directory import hosts_of
from statuspage.serving.gate import network_of, visitor_address


def page_at(request: HttpRequest) -> Page:
    """Return the page that the server shows at the host that was asked."""
    host = request.get_host().lower()
    named = (page for page in Page.objects.in_order() if host in hosts_of(page))
    return next(named, None) or Page.objects.first_page(at=timezone.now())


def visitor_of(request: HttpRequest) -> str:
    """Return a digest of where a request comes from: the same for the same network address."""
    network = network_of(visitor_address(request.META, settings.TRUSTED_PROXIES))
    return salted_hmac("statuspage.visitor", network, algorithm="sha256").hexdigest()
