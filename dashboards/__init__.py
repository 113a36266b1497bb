"""Grafana dashboards and Prometheus rules, and the small builder that writes the dashboards.

Nothing here runs in the service: ``monitor`` and ``tickets`` never import it.
"""
