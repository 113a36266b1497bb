"""Are the files that the settings name of use? Asked by check-config only.

A file that is missing must not keep the service from starting. Without a certificate one site is
unknown until it is there, and without an agency's own letters ours go out. So this is no
contradiction of the settings.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path as Folder

from monitor.settings import Settings
from monitor.settings.conflicts import Conflict, Path, list_placed_sites
from monitor.settings.site import ClientCertificateSettings
from tickets.addresses import shown


def find_unusable_files(settings: Settings) -> Iterator[Conflict]:
    """Yield a conflict for each file that cannot be read or is not what it should be."""
    letters = settings.mail.letters
    if letters is not None and not Folder(letters).is_dir():
        yield Conflict(("mail", "letters"), f"{shown(letters)} is no folder")
    for path, site in list_placed_sites(settings):
        if site.ca_file is not None:
            fault = _authorities_fault(site.ca_file)
            if fault is not None:
                yield Conflict((*path, "ca_file"), fault)
        if site.client_certificate is not None:
            yield from _certificate_faults((*path, "client_certificate"), site.client_certificate)


def _authorities_fault(name: str) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unreadable = _unreadable(name)
    if unreadable is not None:
        return unreadable
    try:
        context.load_verify_locations(name)
    except (OSError, ValueError):
        return f"{shown(name)} holds no certificates in PEM form"
    return None


def _certificate_faults(path: Path, own: ClientCertificateSettings) -> Iterator[Conflict]:
    names = {"certificate_file": own.certificate_file, "key_file": own.key_file}
    faults = [
        Conflict((*path, key), fault)
        for key, name in names.items()
        if (fault := _unreadable(name)) is not None
    ]
    yield from faults
    if faults:
        return
    password = own.key_password.get_secret_value() if own.key_password is not None else ""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(
            own.certificate_file, own.key_file, password=password
        )
    except (OSError, ValueError):
        yield Conflict(
            (*path, "certificate_file"),
            f"{shown(own.certificate_file)} and the key in {shown(own.key_file)} are of no use: "
            "one of them is not PEM, the password is not the key's, or the key is another "
            "certificate's",
        )


def _unreadable(name: str) -> str | None:
    try:
        with open(name, "rb"):
            return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return f"{shown(name)} cannot be read: {reason.lower()}"
