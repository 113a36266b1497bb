"""The contact sheet of the boards for Grafana: what each panel shows, drawn without a Grafana.

    python -m tests.pictures.sheet docs/pictures/dashboards.png

It needs matplotlib (the extra ``pictures``) and a Prometheus. The past that it draws is invented:
the series have the service's own names, labels and buckets, their values are made up.
"""
