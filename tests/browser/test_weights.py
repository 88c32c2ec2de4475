"""No page asks anybody else for anything, none is heavy, each has its icons: counted, not timed."""

from collections.abc import Callable

from playwright.sync_api import Page

from tests.browser.conftest import Site
from tests.browser.test_accessibility import PATHS, filled
from tests.browser.weights import Scales

MOST_BYTES, MOST_REQUESTS = 300_000, 32  # of a page that comes with an empty cache
# The font has the icons that the code names, see ``tests.supply_chain.icons``.
UNKNOWN_ICONS = """() => [...document.querySelectorAll(".ti")]
    .filter((icon) => ["none", "normal"].includes(getComputedStyle(icon, "::before").content))
    .map((icon) => icon.className)"""


def test_pages_are_light_and_ask_nobody_else(open_page: Callable[..., Page], site: Site) -> None:
    page = open_page()
    scales = Scales(page, site.url, cached=False)
    problems = {}
    for path in PATHS:
        weight = scales.weigh(filled(path, site))
        size, requests = weight.size.total(), weight.requests.total()
        unknown = page.evaluate(UNKNOWN_ICONS)
        if weight.elsewhere or unknown or size > MOST_BYTES or requests > MOST_REQUESTS:
            problems[path] = (size, requests, weight.elsewhere, unknown)
    assert not problems
