"""``/sd/sites``: the sites that are watched, as Prometheus' HTTP service discovery reads them.

For those who probe the same sites with blackbox_exporter as well, or build on the list. The whole
list comes each time, from the store; while that is away the answer is 503 and Prometheus keeps what
it had.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial

from sqlmodel import Session, col, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.methods import routes_of
from monitor.tables import SiteRow
from tickets.api.access import Door
from tickets.api.problems import Rejected, answer_problem, rejected
from tickets.clock import Clock
from tickets.errors import Unavailable
from tickets.rules.scope import Scope
from tickets.store import Store

PATH = "/sd/sites"

Group = dict[str, object]


def list_groups(tx: Session, client: str | None = None) -> list[Group]:
    """Return a target group for each site that is watched, or for those of one client.

    Needs an open (read) transaction. Labels begin with ``__meta_``: Prometheus drops them after
    relabelling, so a configuration takes what it wants.
    """
    query = (
        select(SiteRow)
        .where(col(SiteRow.removed_at).is_(None))
        .order_by(col(SiteRow.added_at), col(SiteRow.slug))
    )
    if client is not None:
        query = query.where(col(SiteRow.client) == client)
    return [
        {
            "targets": [row.url],
            "labels": {
                "__meta_client": row.client,
                "__meta_site": row.slug,
                "__meta_name": row.name,
            },
        }
        for row in tx.exec(query).all()
    ]


@dataclass(frozen=True, slots=True)
class Discovery:
    """Answers the requests for the list of sites."""

    store: Store
    door: Door

    async def answer(self, request: Request) -> Response:
        """Return the list to whoever has a token for it; a token of one client sees its sites."""
        try:
            caller = await self.door.find_caller(request)
            if Scope.SITES_READ not in caller.scopes:
                raise rejected(
                    403,
                    "insufficient-scope",
                    f"This needs the scope {Scope.SITES_READ}, which the token does not have.",
                )
            groups = await self.store.aread(partial(list_groups, client=caller.client))
        except Rejected as error:
            return answer_problem(error.problem, error.headers)
        except Unavailable as error:
            return answer_problem(rejected(503, "unavailable", f"{error}.").problem)
        # Prometheus takes nothing but this very type.
        return Response(json.dumps(groups, ensure_ascii=False), media_type="application/json")


def discovery_routes(store: Store, clock: Clock) -> list[Route]:
    """Return the route of the list."""
    return routes_of(PATH, Discovery(store, Door(store, clock)).answer, ["GET"])
