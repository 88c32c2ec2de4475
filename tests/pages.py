"""The pages of the product, found from its routes."""

import re

from fastapi import FastAPI

from tests.integration.doors import doors_of

# Answers that are a part of a page, a file, a redirect, or no page of the back office.
NO_PAGES = re.compile(
    r"/(health|docs|openapi|help/img|latest-|running-|api/|v1/|static)"
    r"|/(notice|palette|presence|recent-runs|new-count|matching|executions/agents|runs/\{execution_id\}|export)$"
)
BEFORE_LOGIN = re.compile(r"/(login|password)")


def page_paths(app: FastAPI) -> list[str]:
    """Paths of pages with their parameters, such as ``/agents/{agent_id}/edit``."""
    paths = {door.path for door in doors_of(app) if door.method == "GET"}
    return sorted(path for path in paths if not NO_PAGES.search(path))
