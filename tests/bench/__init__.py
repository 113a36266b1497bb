"""Measurements: files named ``bench_*.py``, run by ``make bench`` and never with the tests."""
