"""What watches costs nothing where it is not configured."""

import ast
from collections.abc import Iterator
from pathlib import Path

from app.core.config import PROJECT_ROOT
from tests.parsing import parsed

WATCHING = ("opentelemetry.sdk", "opentelemetry.exporter", "sentry_sdk", "prometheus_client")


def imported_at_once(path: Path) -> Iterator[str]:
    """Modules that importing this one imports, by its own statements."""
    for node in parsed(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_nothing_that_watches_is_imported_unless_it_is_configured() -> None:
    imports = {
        ".".join(path.relative_to(PROJECT_ROOT).with_suffix("").parts): set(imported_at_once(path))
        for path in (PROJECT_ROOT / "app").rglob("*.py")
    }
    waiting = list(WATCHING)
    reaching: set[str] = set()
    while waiting:
        wanted = waiting.pop()
        found = {
            name
            for name, modules in imports.items()
            if any(module == wanted or module.startswith(f"{wanted}.") for module in modules)
        }
        waiting += found - reaching
        reaching |= found
    assert "app.core.prometheus" in reaching, "or this test finds nothing"
    assert not reaching & {"app.main", "app.observing", "app.cli", "app.jobs.worker"}
