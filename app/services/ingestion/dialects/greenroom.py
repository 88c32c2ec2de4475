"""Our own: what a pulled configuration tells runtimes to say of themselves."""

from app.services.ingestion.dialects.dialect import Dialect

GREENROOM = Dialect(
    name="greenroom",
    prefixes=("greenroom.",),
    fields={
        "greenroom_id": ("greenroom.agent.id", "greenroom.agent.name"),
        "greenroom_revision": ("greenroom.agent.revision",),
    },
)
