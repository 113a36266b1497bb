"""Whole boards: their variables, their annotations, and how they stand to each other.

Schema version 39 is loaded by Grafana 11, 12 and 13.
"""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.queries import DATASOURCE, SITES, Json
from dashboards.words import DOWN

SCHEMA_VERSION = 39
HIDDEN = 2
"""How Grafana writes that a variable is not shown above the board."""


def choice(name: str, label: str, values_of: str, *, has_all: bool = True) -> Json:
    """Return a variable of which several values may be chosen, or all.

    Without ``has_all`` the first value is chosen until somebody chooses others.
    """
    every: Json = {"selected": True, "text": ["All"], "value": ["$__all"]}
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": dict(DATASOURCE),
        "definition": values_of,
        "query": {"qryType": 1, "query": values_of, "refId": name},
        "refresh": 2,
        "sort": 1,
        "regex": "",
        "hide": 0,
        "multi": True,
        "includeAll": has_all,
        "allValue": ".+" if has_all else None,
        "current": every if has_all else {},
        "options": [],
    }


_CLIENT = choice("client", "Client", "label_values(fettle_checks_configured, client)")
_SITES = 'label_values(fettle_check_status_code{client=~"$client"}, site)'

CHOICES = (_CLIENT, choice("site", "Site", _SITES))
FEW_SITES = (_CLIENT, choice("site", "Site", _SITES, has_all=False))
"""For a board that repeats itself for each site: all of hundreds would be thousands of panels."""


def board(
    uid: str,
    title: str,
    description: str,
    panels: Sequence[Json],
    *,
    desk: str,
    choices: Sequence[Json] = (),
    refresh: str = "1m",
    since: str = "now-24h",
) -> Json:
    """Return a whole board; ``desk`` is the address of the desk, without a slash at its end."""
    matchers = f"{{{SITES}}}" if choices else ""
    datasource: Json = {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "regex": "",
        "refresh": 1,
        "hide": 0,
        "multi": False,
        "includeAll": False,
        "current": {},
        "options": [],
    }
    address: Json = {
        "name": "desk",
        "label": "Address of the desk",
        "type": "textbox",
        "hide": HIDDEN,
        "query": desk,
        "current": {"selected": True, "text": desk, "value": desk},
        "options": [{"selected": True, "text": desk, "value": desk}],
    }
    incidents: Json = {
        "name": "Incidents",
        "datasource": dict(DATASOURCE),
        "enable": True,
        "hide": False,
        "expr": f"fettle_incident_open{matchers} == 1",
        "iconColor": DOWN,
        "step": "60s",
        "tagKeys": "client,kind",
        "titleFormat": "{{site}}: {{kind}}",
        "textFormat": "An incident of this kind is open.",
        "useValueForTime": False,
    }
    others: Json = {
        "title": "Fettle",
        "type": "dashboards",
        "tags": ["fettle"],
        "asDropdown": False,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "tooltip": "The other boards of Fettle",
        "url": "",
    }
    return {
        "uid": uid,
        "title": title,
        "description": " ".join(description.split()),
        "tags": ["fettle"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "id": None,
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "timezone": "browser",
        "weekStart": "",
        "refresh": refresh,
        "time": {"from": since, "to": "now"},
        "timepicker": {},
        "annotations": {"list": [incidents]},
        "links": [others],
        "templating": {"list": [datasource, *choices, address]},
        "panels": list(panels),
    }
