"""Settings of the service's own sign of life: whom it tells that it is well."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, WithJsonSchema

from tickets.addresses import canonical_url
from tickets.settings.types import Duration, Section, between


def _address(given: SecretStr) -> SecretStr:
    return SecretStr(canonical_url(given.get_secret_value()))


class ServiceSettings(Section):
    """The service itself, seen by somebody outside who notices when it falls silent."""

    heartbeat_url: (
        Annotated[
            SecretStr,
            AfterValidator(_address),
            WithJsonSchema({"type": "string", "format": "uri"}),
        ]
        | None
    ) = Field(
        default=None,
        description="Address that is called (GET) while all is well, such as a check of "
        "healthchecks.io: whoever is behind it tells people when the calls stay away. Counts as "
        "secret; may be set in FETTLE_SERVICE__HEARTBEAT_URL_FILE.",
    )
    heartbeat_every: Annotated[Duration, between("10s", "1h")] = Field(
        default=timedelta(minutes=1),
        description="How often it is called. The prober calls after a tick that was on time while "
        "the store answers, never by a timer of its own.",
    )
