"""Which format of the metrics page a header asks for, by its weights."""

from __future__ import annotations

import pytest

from monitor.formats import negotiated

TEXT = "text/plain; version=0.0.4"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/plain;q=1, application/openmetrics-text;q=0.1", TEXT),
        ("text/plain;q=0.1, application/openmetrics-text;q=0.2", OPENMETRICS),
        ("text/plain, application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text;q=0, text/plain", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text; q=0.0", TEXT),
        ("*/*, application/openmetrics-text;q=0.5", TEXT),
        ("text/*;q=0.4, application/openmetrics-text;q=0.5", OPENMETRICS),
        ("Application/OpenMetrics-Text; Version=1.0.0", OPENMETRICS),
        ('application/openmetrics-text; version="1.0.0"', OPENMETRICS),
        ("application/openmetrics-text;q=much, text/plain", TEXT),
        ("application/openmetrics-text;q=nan, text/plain;q=0.1", TEXT),
        ("application/openmetrics-text;version=1.0.0;q=0.3,text/plain;version=1.0.0;q=0.6",
         "text/plain; version=1.0.0"),
        ("text/html;q=0.9", TEXT),
    ],
)  # fmt: skip
def test_the_format_with_the_greatest_weight_is_taken(accept: str, expected: str) -> None:
    _, content_type = negotiated(accept)
    assert content_type.startswith(expected)
