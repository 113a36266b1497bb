"""Lists of sites from other monitors and for them: read, made into settings, and written.

What comes from a file is hostile until the settings' own check has passed it. Nothing here touches
the configuration, and no secret is ever written: where each belongs is said instead.
"""

from monitor.site_exchange.draft import Draft, Imported, Notes, SiteDraft
from monitor.site_exchange.export import exported_clients, file_sd_groups
from monitor.site_exchange.fitting import fit
from monitor.site_exchange.reading import read_list

__all__ = [
    "Draft",
    "Imported",
    "Notes",
    "SiteDraft",
    "exported_clients",
    "file_sd_groups",
    "fit",
    "read_list",
]
