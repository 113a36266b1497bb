"""How many mails may leave, and when messages share one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from tickets.rules.notice import Audience


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Limits on mails; what is over a limit waits and is not lost.

    ``merge_within`` is for how long after a mail the next about the same ticket to the same address
    waits, to share one mail with what else comes up meanwhile. ``per_minute`` counts every mail,
    the numbers per address only those that no person wrote, over the last 24 hours.
    """

    merge_within: timedelta = timedelta(seconds=60)
    per_minute: int = 300
    client_address_per_day: int = 100
    staff_address_per_day: int = 1000

    def per_day(self, audience: Audience) -> int:
        """Return how many automatic mails an address of ``audience`` gets within 24 hours."""
        if audience is Audience.CLIENT:
            return self.client_address_per_day
        return self.staff_address_per_day
