"""The whole service as processes of its own."""
