"""Alerts of Alertmanager and Grafana, from the request to the ticket.

``door`` answers requests, ``taking`` stores what they say in one transaction, ``incidents`` opens
and ends what follows, ``watchdog`` listens for silence, ``reconcile`` asks what was missed. An
alert never ends or lengthens an incident of the monitor, and never touches a site's uptime.
"""
