"""Runs the demo: the supervisor with its roles, the demo's sites, its mail server, its pages."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from monitor.demo.pages import Demo, demo_app
from monitor.demo.postbox import Postbox
from monitor.demo.websites import Website, make_websites
from monitor.logs import set_up_logs
from monitor.service import build_policy, run_together
from monitor.settings.load import load
from monitor.startup import prepare, stop_on_signals
from monitor.store_watch import StoreWatch
from monitor.supervisor import ROLES, Launch, Supervisor
from monitor.web import serve
from tickets.accounts import add_staff, hash_password
from tickets.clock import Clock, SystemClock
from tickets.rules.staff import Role
from tickets.store import Store

USUAL_PORT = 8080
EMAIL = "sam@agency.example"
LOCATION = "demo"


def run(port: int | None = None) -> int:
    """Run the demo until a signal comes; return the exit code.

    ``port`` is the desk's, 8080 or the next free one if None; the demo's pages have the next free
    port after it. Nothing outlives the demo: its store lies in a folder that is removed.
    """
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="fettle-demo-") as folder:
        return asyncio.run(_run(Path(folder), port, clock=clock))


async def _run(folder: Path, port: int | None, *, clock: Clock) -> int:
    stop = asyncio.Event()
    came = stop_on_signals(stop)
    websites, postbox = make_websites(clock), Postbox(clock)
    desk_port = port if port is not None else free_port(USUAL_PORT)
    demo_port = free_port(desk_port + 1)
    async with AsyncExitStack() as stack:
        for part in (*websites, postbox):
            await part.open()
            stack.push_async_callback(part.close)
        config = _write_config(folder, websites, postbox, desk_port=desk_port)
        # The roles' logs would bury what the visitor is to read; a fault is found in this file.
        log = stack.enter_context((folder / "demo.log").open("w"))
        set_up_logs(part="demo", stream=log)
        settings = load(config, environ={})
        await asyncio.to_thread(prepare, settings, location=LOCATION, clock=clock)
        store = Store(settings.store.url)
        stack.callback(store.close)
        policy = build_policy(settings, clock=clock)
        demo = Demo(
            websites=websites,
            postbox=postbox,
            store=store,
            policy=policy,
            clock=clock,
            watch=StoreWatch(clock, policy.zone),
            desk_url=f"http://127.0.0.1:{desk_port}",
            email=EMAIL,
            password=secrets.token_urlsafe(12),
        )
        await _add_staff(demo)
        _tell(demo, demo_port)
        supervisor = Supervisor(
            ROLES, Launch(config=config, location=LOCATION), clock=clock, stderr=log
        )
        app = demo_app(demo)
        await run_together(
            stop,
            supervisor.run,
            lambda ending: serve(app, host="127.0.0.1", port=demo_port, stop=ending),
        )
    return 128 + came[0] if came else 0


async def _add_staff(demo: Demo) -> None:
    password_hash = await asyncio.to_thread(hash_password, demo.password)
    await demo.store.awrite(
        lambda tx: add_staff(
            tx,
            email=demo.email,
            name="Sam Reed",
            role=Role.LEAD,
            password_hash=password_hash,
            at=demo.clock.now(),
        )
    )


def _tell(demo: Demo, demo_port: int) -> None:
    sites = "\n".join(f"    {site.client_name:<14}{site.url}" for site in demo.websites)
    print(
        f"""
  fettle demo

  Break a site here    http://127.0.0.1:{demo_port}/
  See it on the desk   {demo.desk_url}/
      sign in as       {demo.email}
      password         {demo.password}
  Ask as a client      {demo.desk_url}/support/{demo.websites[0].client}
  Read the mails       http://127.0.0.1:{demo_port}/mails

  The sites being watched:
{sites}

  Ctrl-C stops everything; nothing is kept.
""",
        flush=True,
    )


def free_port(first: int) -> int:
    """Return the first port from ``first`` on at which nobody listens on loopback."""
    for port in range(first, 65536):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no port from {first} on is free")


def _write_config(
    folder: Path, websites: Sequence[Website], postbox: Postbox, *, desk_port: int
) -> Path:
    """Write the demo's configuration: the shipped promises, quick probes, contacts per client."""
    path = folder / "fettle.yml"
    document: dict[str, Any] = {
        "agency": {
            "name": "Bright Agency",
            "url": "https://agency.example",
            "mail_from": "support@agency.example",
        },
        "store": {"url": f"sqlite:///{folder / 'fettle.db'}"},
        "web": {"listen": f"127.0.0.1:{desk_port}", "metrics_interval": "2s"},
        "probing": {
            "interval": "5s",
            "timeout": "4s",
            "slow_after": "1s",
            "retry_after": "2s",
            "confirm_down": 3,
            "confirm_slow": 3,
            "confirm_up": 2,
            "allow_networks": ["127.0.0.0/8"],
        },
        "mail": {
            "host": "127.0.0.1",
            "port": postbox.port,
            "security": "none",
            "merge_within": "5s",
        },
        "staff_channels": {"duty": ["mailto://duty@agency.example"]},
        "clients": [_client(website) for website in websites],
    }
    path.write_text(json.dumps(document, ensure_ascii=False))  # JSON is YAML too
    return path


def _client(website: Website) -> dict[str, Any]:
    return {
        "slug": website.client,
        "name": website.client_name,
        "branding": {"colour": website.colour},
        "contacts": [
            {"name": f"{website.client_name} office", "email": f"office@{website.client}.example"}
        ],
        "sites": [{"slug": website.slug, "name": website.name, "url": website.url}],
    }
