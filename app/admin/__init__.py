"""The data admin: SQLAdmin over the same services."""

from fastapi import FastAPI


def mount_admin(app: FastAPI) -> None:
    """Mounted at /admin."""
