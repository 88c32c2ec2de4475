"""``python -m app``: the command line."""

if __name__ == "__main__":
    # Worker processes load this module too, and need none of it.
    from app.cli import cli

    cli()
