"""``python -m app import``: the importers on the command line."""

import typer

from app.importers.run_commands import import_openai_messages, import_swe_agent
from app.importers.trace_commands import import_langfuse, import_otlp_json

importers = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Bring runs in from elsewhere."
)
importers.command(name="openai-messages")(import_openai_messages)
importers.command(name="swe-agent")(import_swe_agent)
importers.command(name="otlp-json")(import_otlp_json)
importers.command(name="langfuse")(import_langfuse)


@importers.callback()
def group() -> None:
    """Bring runs in from elsewhere."""
