"""No page asks anybody else for anything, and none is heavy: counted, not timed."""

from collections.abc import Callable

from playwright.sync_api import Page

from tests.browser.conftest import Site
from tests.browser.test_accessibility import filled
from tests.browser.weights import Scales

MOST_BYTES, MOST_REQUESTS = 300_000, 32  # of a page that comes with an empty cache
# One of each kind. The policy lets no page ask anybody else, and all are opened under it elsewhere.
PATHS = (
    "/",
    "/agents/{agent}",
    "/agents/{agent}/playground",
    "/executions",
    "/executions/{run}",
    "/operations",
    "/help/agents",
    "/admin/agents/list",
    "/admin/tools/edit/{tool}",
)


def test_pages_are_light_and_ask_nobody_else(open_page: Callable[..., Page], site: Site) -> None:
    scales = Scales(open_page(), site.url, cached=False)
    problems = {}
    for path in PATHS:
        weight = scales.weigh(filled(path, site))
        size, requests = weight.size.total(), weight.requests.total()
        if weight.elsewhere or size > MOST_BYTES or requests > MOST_REQUESTS:
            problems[path] = (size, requests, weight.elsewhere)
    assert not problems
