"""The HTTP API for programs, at ``/api/v1``: tickets and what may be done to them."""
