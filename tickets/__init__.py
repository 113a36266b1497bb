"""Keeps promises to clients: tickets, deadlines in support hours, notices. Knows nothing of probes."""
