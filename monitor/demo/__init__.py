"""The whole service on embedded parts, against client sites that the visitor breaks and mends."""
