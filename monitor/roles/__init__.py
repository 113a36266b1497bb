"""The roles of the service, one module each, so that a process loads only what it runs."""
