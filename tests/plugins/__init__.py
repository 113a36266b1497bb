"""Plugins that every test runs under."""
