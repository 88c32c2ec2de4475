"""``python -m app``: the command line."""

import gc
import sys

if __name__ == "__main__":
    # Worker processes load this module too, and need none of it.
    if sys.argv[1:2] == ["import"]:
        # A client of the API: it needs not wait for all of the server to be imported.
        from app.importers.command import importers

        importers(sys.argv[2:], prog_name="python -m app import")
    else:
        # Imports leave nothing to be collected; to look for it took a fifth of the start.
        gc.disable()
        from app.cli import cli

        gc.enable()
        cli()
