"""Watches sites, decides what is up, slow or down, and composes the whole service."""
