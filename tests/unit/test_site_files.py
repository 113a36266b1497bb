"""Certificate files that sites name: check-config looks into them, the start of the service not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from monitor.config_report import check_config
from monitor.settings.load import load

NOW = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
BEGIN = """\
agency: {name: Agency, url: 'https://agency.test', mail_from: help@agency.co}
clients:
  - slug: shop
    name: Shop
    sites:
      - slug: home
        url: https://shop.test/
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which Fettle is started, with good files of every kind."""
    monkeypatch.chdir(tmp_path)
    ca = trustme.CA()
    own, other = ca.issue_cert("prober@agency.test"), ca.issue_cert("other@agency.test")
    locked = load_pem_private_key(own.private_key_pem.bytes(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"s3cret")
    )
    for name, content in {
        "ca.pem": ca.cert_pem.bytes(),
        "own.pem": own.cert_chain_pems[0].bytes(),
        "own.key": own.private_key_pem.bytes(),
        "other.key": other.private_key_pem.bytes(),
        "locked.key": locked,
        "empty.pem": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def check(folder: Path, *lines: str) -> tuple[int, str]:
    path = folder / "fettle.yml"
    path.write_text(BEGIN + "".join(f"        {line}\n" for line in lines), encoding="utf-8")
    path.chmod(0o600)
    load(path, environ={})  # the service starts in any case
    return check_config(path, environ={}, now=NOW)


@pytest.mark.parametrize(
    "lines",
    [
        ["ca_file: ca.pem"],
        ["client_certificate: {certificate_file: own.pem, key_file: own.key}"],
        ["client_certificate: {certificate_file: own.pem, key_file: locked.key,",
         " key_password: s3cret}"],
    ],
)  # fmt: skip
def test_good_files(folder: Path, lines: list[str]) -> None:
    code, text = check(folder, *lines)
    assert code == 0, text


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("ca_file: none.pem",
         "sites[0].ca_file: 'none.pem' cannot be read: no such file or directory"),
        ("ca_file: empty.pem", "sites[0].ca_file: 'empty.pem' holds no certificates in PEM form"),
        ("ca_file: own.key", "sites[0].ca_file: 'own.key' holds no certificates in PEM form"),
        ("client_certificate: {certificate_file: none.pem, key_file: own.key}",
         "client_certificate.certificate_file: 'none.pem' cannot be read"),
        ("client_certificate: {certificate_file: own.pem, key_file: none.key}",
         "client_certificate.key_file: 'none.key' cannot be read"),
        ("client_certificate: {certificate_file: own.pem, key_file: other.key}",
         "client_certificate.certificate_file: 'own.pem' and the key in 'other.key' are of no use"),
        ("client_certificate: {certificate_file: own.pem, key_file: locked.key}",
         "'own.pem' and the key in 'locked.key' are of no use"),
        ("client_certificate: {certificate_file: own.pem, key_file: locked.key, key_password: x}",
         "'own.pem' and the key in 'locked.key' are of no use"),
    ],
)  # fmt: skip
def test_files_that_are_of_no_use(folder: Path, line: str, fault: str) -> None:
    code, text = check(folder, line)
    assert code == 1
    assert fault in text
    assert "fettle.yml:8: " in text
    assert text.endswith("1 fault")
