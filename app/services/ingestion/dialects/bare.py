"""Names without a prefix, as hand-written exporters use them."""

from app.services.ingestion.dialects.dialect import Dialect

BARE = Dialect(
    name="bare",
    prefixes=("input", "output"),
    fields={
        "input_tokens": ("input_tokens",),
        "output_tokens": ("output_tokens",),
        "session_id": ("session_id",),
        "end_user": ("enduser.id", "user_id"),
        "model_asked": ("model", "model_name"),
    },
    inputs=("input",),
    outputs=("output",),
)
