"""Why somebody stopped something for a while."""

from app.schemas.agents import Note
from app.schemas.base import Input


class Pause(Input):
    reason: Note = None
    """Why; kept in the audit log."""
