"""The command: all findings in order, a verdict, and an exit code for scripts."""

import asyncio
import json
from dataclasses import asdict
from itertools import groupby
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.doctor.machine import finding, machine_findings, read_settings
from app.doctor.neighbours import GROUP, database_findings, embedded, neighbour_findings
from app.schemas.operations import State
from app.services.operations.findings import Finding, judged, worst

EXIT_CODES = {State.OK: 0, State.WARN: 1, State.BAD: 2}
SIGNS = {
    State.OK: "[green]✓[/]",
    State.UNKNOWN: "[dim]·[/]",
    State.WARN: "[yellow]![/]",
    State.BAD: "[red]✗[/]",
}
VERDICTS = {
    State.OK: "[green]✓[/] All is well.",
    State.WARN: "[yellow]![/] It works, with something to look at.",
    State.BAD: "[red]✗[/] Something is broken.",
}


def examine() -> list[Finding]:
    """Everything, however much of it is down."""
    settings, found = read_settings()
    if settings is None:
        return found
    found += machine_findings(settings)
    try:
        with embedded(settings) as ready:
            found += asyncio.run(database_findings(ready))
    except Exception as error:  # noqa: BLE001  (whatever keeps the embedded server from starting)
        advice = "See the log beside the data folder's postgres, its disk and its permissions."
        said = judged(
            State.BAD, f"the embedded one does not start ({type(error).__name__})", advice
        )
        found.append(finding("database", GROUP, "Database", said))
    return found + asyncio.run(neighbour_findings(settings))


def show(console: Console, found: list[Finding]) -> None:
    for group, members in groupby(found, key=lambda each: each.group):
        table = Table.grid(padding=(0, 2))
        table.add_column(width=1)
        table.add_column(min_width=24)
        table.add_column()
        for each in members:
            table.add_row(SIGNS[each.state], each.name, escape(each.figure))
            if (each.advice and each.state is not State.OK) or each.key == "settings":
                table.add_row("", "", f"[dim]{escape(each.advice)}[/]")
        console.print(f"\n[bold]{group}[/]")
        console.print(table)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="The findings, for programs.")] = False,
) -> None:
    """Look whether all is well, and say what to do; exit 0 well, 1 warnings, 2 broken."""
    found = examine()
    verdict = worst(each.state for each in found)
    if as_json:
        body = {"state": verdict, "findings": [asdict(each) for each in found]}
        typer.echo(json.dumps(body, indent=2))
    else:
        console = Console(highlight=False)
        show(console, found)
        console.print(f"\n{VERDICTS[verdict]}")
    raise typer.Exit(EXIT_CODES[verdict])
