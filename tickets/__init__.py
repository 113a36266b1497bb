"""Keeps promises to clients: tickets, deadlines in support hours, notices.

Knows nothing of probes. Its doors are the modules: ``actions`` is what people do to a ticket,
``opening`` how one begins, ``incidents`` what an incident does to it, ``queries`` what is read.
"""
