"""Requests per second of this product beside a bare app over the same tables: ``make load``."""
