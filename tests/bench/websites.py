"""The sites that are probed: one nginx on loopback, each address with a certificate of its own."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import certifi
import trustme

from tests.bench.processes import wait_for

BODY_BYTES = 2048

_CONF = """\
worker_processes 1;
worker_rlimit_nofile 20000;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 16000; }}
http {{
    access_log off;
    types {{ text/html html; }}
    default_type text/html;
    ssl_session_cache off;
    ssl_session_tickets off;
    ssl_protocols TLSv1.2 TLSv1.3;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{count_port}; location / {{ stub_status; }} }}
{servers}
}}
"""

_SERVER = """\
    server {{
        listen {address}:{port} ssl backlog=1024;
        ssl_certificate {folder}/{address}.pem;
        ssl_certificate_key {folder}/{address}.pem;
        location / {{ root {folder}/page; try_files /page.html =404; }}
    }}"""


@dataclass(frozen=True, slots=True)
class Websites:
    """A running nginx: the sites' URLs, and the file of authorities that vouch for them.

    ``authorities`` is the public bundle with the sites' authority added, so that whoever reads it
    has as much to read and to search as against the public internet.
    """

    urls: Sequence[str]
    authorities: Path
    count_port: int

    def answered(self) -> int:
        """Return how many requests have been answered, this one not counted."""
        connection = http.client.HTTPConnection("127.0.0.1", self.count_port, timeout=5)
        try:
            connection.request("GET", "/")
            lines = connection.getresponse().read().decode().splitlines()
        finally:
            connection.close()
        requests = int(lines[2].split()[2])
        _own.count += 1
        return requests - _own.count


@dataclass
class _Own:
    count: int = 0


_own = _Own()


def find_nginx() -> str | None:
    """Return where nginx is, None if it is not installed."""
    return shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


@contextlib.contextmanager
def serving_sites(count: int, *, addresses: int) -> Iterator[Websites]:
    """Serve ``count`` sites over HTTPS on ``addresses`` addresses of loopback, a 2 KB page each."""
    nginx = find_nginx()
    if nginx is None:
        raise FileNotFoundError("nginx is not installed; there is nothing to probe")
    with tempfile.TemporaryDirectory(prefix="fettle-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # a worker of nginx may be somebody else
        port, count_port = _free_ports(2)
        hosts = [f"127.{1 + n // 62500}.{n // 250 % 250}.{1 + n % 250}" for n in range(addresses)]
        authorities = _write_certificates(folder, hosts)
        _write_page(folder)
        servers = [_SERVER.format(address=host, port=port, folder=folder) for host in hosts]
        conf = folder / "nginx.conf"
        conf.write_text(
            _CONF.format(folder=folder, count_port=count_port, servers="\n".join(servers)),
            encoding="utf-8",
        )
        with subprocess.Popen(
            [nginx, "-p", str(folder), "-c", str(conf)], stderr=subprocess.DEVNULL
        ) as process:
            try:
                wait_for(lambda: _listens(count_port), what="nginx listens")
                _own.count = 0
                yield Websites(
                    [f"https://{hosts[n % addresses]}:{port}/site-{n}" for n in range(count)],
                    authorities,
                    count_port,
                )
            finally:
                process.terminate()


def _write_certificates(folder: Path, hosts: Sequence[str]) -> Path:
    """Write each address's chain, leaf and intermediate as on the internet; return the bundle."""
    root = trustme.CA()
    between = root.create_child_ca()
    for number, host in enumerate(hosts):
        leaf = between.issue_cert(host, f"site-{number}.test", f"www.site-{number}.test")
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        (folder / f"{host}.pem").write_bytes(leaf.private_key_pem.bytes() + chain)
    authorities = folder / "authorities.pem"
    public = Path(certifi.where()).read_bytes()
    authorities.write_bytes(public + b"\n" + root.cert_pem.bytes())
    return authorities


def _write_page(folder: Path) -> None:
    page = folder / "page"
    page.mkdir()
    head = "<!doctype html><html><head><title>A page</title></head><body>"
    text = "<p>Twenty words of text, more or less.</p>\n" * 60
    (page / "page.html").write_text((head + text)[:BODY_BYTES], encoding="utf-8")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
