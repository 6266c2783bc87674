"""Which addresses are addresses, and which may be called."""

from ipaddress import ip_address, ip_network

import pytest

from notifications.errors import Undelivered
from notifications.places import masked, permits, place_of


class TestPlaceOf:
    def test_takes_an_address_apart(self) -> None:
        place = place_of("https://Hooks.Slack.com/services/T1/B2?thread=1#top")

        assert (place.scheme, place.host, place.port) == ("https", "hooks.slack.com", 443)
        assert place.target == "/services/T1/B2?thread=1"
        assert place.host_header == "hooks.slack.com"

    def test_names_a_port_that_is_not_the_usual_one(self) -> None:
        assert place_of("https://[2606:4700::1]:8443/x").host_header == "[2606:4700::1]:8443"

    @pytest.mark.parametrize(
        "address",
        [
            "",
            "hooks.slack.com/services",
            "ftp://example.org/",
            "file:///etc/passwd",
            "gopher://example.org/",
            "https://",
            "https:///path",
            "https://user:password@example.org/",
            "https://example.org@127.0.0.1/",
            "https://@example.org/",
            "https://example.org\\@127.0.0.1/",
            "https://exa mple.org/",
            "https://example.org/\r\nX-Header: 1",
            "https://example.org:0/",
            "https://example.org:22/",
            "https://example.org:25/",
            "https://example.org:80/",
            "https://example.org:99999/",
            "https://example.org:port/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://127.0.0.1.5/",
            "https://[::1%25lo]/",
            "https://[::1/",
            "https://[not-an-address]/",
            "https://exämple.org/",
            "https://example..org/",
            "https://-example.org/",
            f"https://{'a' * 64}.example.org/",
            f"https://example.org/{'a' * 1000}",
        ],
    )
    def test_refuses_what_is_none_and_quotes_nothing(self, address: str) -> None:
        with pytest.raises(Undelivered) as refusal:
            place_of(address)

        assert refusal.value.is_final
        assert str(refusal.value).startswith("This is no address to post to: ")
        assert refusal.value.__cause__ is None
        if len(address) > len("https://"):
            assert address.removeprefix("https://") not in str(refusal.value)


class TestPermits:
    @pytest.mark.parametrize(
        "number",
        ["93.184.216.34", "2606:4700::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"],
    )
    def test_lets_the_world_outside_be_called(self, number: str) -> None:
        assert permits(ip_address(number))

    @pytest.mark.parametrize(
        "number",
        [
            "0.0.0.0",  # noqa: S104 - an address to refuse
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.192",
            "192.168.1.1",
            "192.88.99.1",
            "198.18.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ],
    )
    def test_refuses_what_lies_inside(self, number: str) -> None:
        assert not permits(ip_address(number))

    def test_lets_a_network_be_called_that_is_named(self) -> None:
        allowed = [ip_network("10.2.0.0/16"), ip_network("fd00::/64")]

        assert permits(ip_address("10.2.3.4"), allowed=allowed)
        assert permits(ip_address("::ffff:10.2.3.4"), allowed=allowed)
        assert permits(ip_address("fd00::9"), allowed=allowed)
        assert not permits(ip_address("10.3.0.1"), allowed=allowed)


class TestMasked:
    def test_shows_the_host_and_how_it_ends(self) -> None:
        assert masked("https://hooks.slack.com/services/T1/secret") == "hooks.slack.com/…cret"

    def test_shows_nothing_of_a_short_secret(self) -> None:
        assert masked("https://example.org/abcd") == "example.org/…"

    def test_shows_nothing_of_what_is_no_address(self) -> None:
        assert masked("secret") == "…"
