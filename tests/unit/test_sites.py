"""From settings to sites: defaults filled in, nothing lost."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network

from monitor.rules.site import BasicAuth, ClientCertificate, Confirmation, Site
from monitor.settings import Settings
from monitor.settings.conflicts import find_conflicts
from monitor.sites import find_site, list_sites

AGENCY = {"name": "Agency", "url": "https://agency.example", "mail_from": "help@agency.example"}


def settings_with(*clients: object, **sections: object) -> Settings:
    return Settings.model_validate({"agency": AGENCY, "clients": clients, **sections})


def client(slug: str, *sites: object) -> object:
    return {"slug": slug, "name": slug.title(), "sites": sites}


def test_a_plain_site_has_the_defaults_of_probing():
    plain = {"slug": "home", "url": "https://Shop.example"}
    settings = settings_with(
        client("shop", plain),
        probing={
            "interval": "2m",
            "timeout": "20s",
            "slow_after": "4s",
            "retry_after": "5s",
            "confirm_down": 2,
            "confirm_slow": 4,
            "confirm_up": 1,
            "body_limit": "64KiB",
            "allow_networks": ["10.0.0.0/8"],
            "user_agent": "Probe",
        },
    )
    assert list_sites(settings) == (
        Site(
            slug="home",
            client="shop",
            name="shop.example",
            url="https://shop.example/",
            interval=timedelta(minutes=2),
            timeout=timedelta(seconds=20),
            slow_after=timedelta(seconds=4),
            confirmation=Confirmation(down=2, slow=4, up=1, retry_after=timedelta(seconds=5)),
            body_limit=64 * 1024,
            allow_networks=(ip_network("10.0.0.0/8"),),
            user_agent="Probe",
        ),
    )


def test_what_a_site_says_itself_wins():
    settings = settings_with(
        client(
            "shop",
            {
                "slug": "checkout",
                "url": "https://shop.example/checkout?step=1",
                "name": "Checkout",
                "interval": "30s",
                "timeout": "5s",
                "slow_after": "500ms",
                "expect_status": ["200", "301-302"],
                "keyword": "Pay now",
                "keyword_absent": "Fatal error",
                "headers": {"X-Probe": "fettle"},
                "basic_auth": {"username": "preview", "password": "secret"},
                "ca_file": "own/authorities.pem",
                "client_certificate": {
                    "certificate_file": "own/prober.pem",
                    "key_file": "own/prober.key",
                    "key_password": "secret",
                },
                "ip_family": "6",
                "resolve": "all",
            },
        )
    )
    found = find_site(settings, "checkout")
    assert found is not None
    assert found.name == "Checkout"
    assert (found.interval, found.timeout) == (timedelta(seconds=30), timedelta(seconds=5))
    assert found.slow_after == timedelta(seconds=0.5)
    assert found.expect_status == ((200, 200), (301, 302))
    assert (found.keyword, found.keyword_absent) == ("Pay now", "Fatal error")
    assert found.headers == {"X-Probe": "fettle"}
    assert found.basic_auth == BasicAuth("preview", "secret")
    assert found.ca_file == "own/authorities.pem"
    assert found.client_certificate == ClientCertificate(
        certificate_file="own/prober.pem", key_file="own/prober.key", key_password="secret"
    )
    assert (found.ip_family, found.every_address) == (6, True)
    assert "secret" not in repr(found)


def test_sites_come_in_the_order_of_the_file():
    settings = settings_with(
        client("b", {"slug": "b-1", "url": "https://b.example"}),
        client("empty"),
        client(
            "a",
            {"slug": "a-2", "url": "https://a.example/2"},
            {"slug": "a-1", "url": "https://a.example/1"},
        ),
    )
    assert [(site.client, site.slug) for site in list_sites(settings)] == [
        ("b", "b-1"),
        ("a", "a-2"),
        ("a", "a-1"),
    ]
    assert settings.count_sites() == 3


def test_a_slug_that_no_site_has_finds_nothing():
    assert find_site(settings_with(), "home") is None


def test_an_address_of_the_other_family_is_a_contradiction():
    site = {"slug": "home", "url": "http://8.8.8.8/", "ip_family": 6}
    (conflict,) = find_conflicts(settings_with(client("shop", site)))
    assert conflict.path == ("clients", 0, "sites", 0, "ip_family")
    assert conflict.message == "is 6, and the URL names the address 8.8.8.8"


def test_one_page_may_be_watched_over_each_family():
    sites = [
        {"slug": f"over-{family}", "url": "https://shop.example", "ip_family": family}
        for family in (4, 6)
    ]
    assert not list(find_conflicts(settings_with(client("shop", *sites))))
