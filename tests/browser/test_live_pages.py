"""Pages that show what happens while it happens, and what becomes of them without their socket."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.conftest import VIEWER, Site
from tests.factories.executions import execution_data

OpenPage = Callable[..., Page]
LIVE = "Live"


def agent_of(site: Site) -> Any:  # whatever has an id
    return type("Ref", (), {"id": site.agent_id})()


def report(site: Site, **values: Any) -> int:
    with site.api() as api:
        answer = api.post("/executions", json=execution_data(agent_of(site), **values))
        return int(answer.json()["id"])


def wait_until_live(page: Page) -> None:
    expect(page.locator("#live-state")).to_have_attribute("data-state", "live")


@pytest.fixture
def other_agent(site: Site) -> Iterator[Any]:  # the API's JSON
    """An agent that is changed by the API alone."""
    with site.api() as api:
        data = {"name": "live-agent", "model": "gpt-4o", "system_prompt": "First."}
        agent = api.post("/agents", json=data).json()
        yield agent
        api.delete(f"/agents/{agent['id']}")


def test_list_of_runs_says_how_many_are_new_without_polling(page: Page, site: Site) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/executions?source=api")
    wait_until_live(page)
    first = page.locator("#results .row-link").first.get_attribute("href")
    report(site)
    expect(page.get_by_role("link", name="1 new: show")).to_be_visible()
    report(site)
    expect(page.get_by_role("link", name="2 new: show")).to_be_visible()
    assert page.locator("#results .row-link").first.get_attribute("href") == first
    counts = [url for url in asked if "new-count" in url]
    assert len(counts) <= 3, "one at the start, and one for each run"
    page.get_by_role("link", name="2 new: show").click()
    expect(page.get_by_role("link", name=re.compile("new: show"))).to_have_count(0)


def test_run_that_is_open_grows_on_its_page_until_it_ends(page: Page, site: Site) -> None:
    run_id = report(site, status="running", ended_at=None, output=None)
    page.goto(f"/executions/{run_id}")
    wait_until_live(page)
    expect(page.locator("#run")).to_contain_text("Running")
    result = page.locator("#conversation details").first
    result.locator("summary").click()
    page.get_by_label("Find in trace").fill("look")
    with site.api() as api:
        step = {"name": "look it up", "kind": "tool", "tool_name": "find_bag"}
        api.patch(f"/executions/{run_id}", json={"spans": [step]})
        found = page.locator("#trace tbody tr:visible")
        expect(found).to_have_count(1)
        expect(found).to_have_text(re.compile("look it up"))
        expect(result, "what was unfolded stays so").to_have_attribute("open", "")
        api.patch(f"/executions/{run_id}", json={"status": "succeeded", "output": "Found."})
    expect(page.locator("#run .st").first).to_contain_text("Succeeded")
    expect(page.locator("#live-state")).to_be_hidden()


def test_two_people_on_one_agent_see_each_other(open_page: OpenPage, site: Site) -> None:
    mine, theirs = open_page(), open_page(VIEWER)
    mine.goto(f"/agents/{site.agent_id}")
    wait_until_live(mine)
    expect(mine.locator("#agent-presence")).to_be_empty()
    theirs.goto(f"/agents/{site.agent_id}/revisions")
    viewer = account_name(theirs)
    expect(mine.locator("#agent-presence")).to_have_text(f"Also here: {viewer}")
    expect(theirs.locator("#agent-presence")).to_have_text(f"Also here: {account_name(mine)}")
    theirs.goto("/agents")
    expect(mine.locator("#agent-presence")).to_be_empty()


def account_name(page: Page) -> str:
    label = page.get_by_text("Account menu of").inner_text()
    return label.removeprefix("Account menu of ")


def test_save_by_someone_else_is_told_and_moves_nothing(
    page: Page,
    site: Site,
    other_agent: Any,  # the API's JSON
) -> None:
    page.goto(f"/agents/{other_agent['id']}")
    wait_until_live(page)
    with site.api() as api:
        api.patch(f"/agents/{other_agent['id']}", json={"system_prompt": "Second."})
    notice = page.locator("#agent-notice")
    expect(notice).to_contain_text("revision 2 is live")
    expect(page.locator("main")).to_contain_text("First.")
    notice.get_by_role("link", name="Show").click()
    expect(page.locator("main")).to_contain_text("Second.")
    expect(notice).to_be_empty()


def test_form_tells_that_someone_saved_and_keeps_what_was_typed(
    page: Page,
    site: Site,
    other_agent: Any,  # the API's JSON
) -> None:
    page.goto(f"/agents/{other_agent['id']}/edit")
    page.get_by_label("Description").fill("Half a sentence")
    wait_until_live(page)
    with site.api() as api:
        api.patch(f"/agents/{other_agent['id']}", json={"max_tokens": 2000})
    expect(page.locator("#agent-notice")).to_contain_text("saved this agent")
    expect(page.get_by_label("Description")).to_have_value("Half a sentence")


def test_new_agent_appears_in_the_list_and_focus_stays(page: Page, site: Site) -> None:
    page.goto("/agents")
    wait_until_live(page)
    link = page.get_by_role("link", name="retail-support")
    link.focus()
    with site.api() as api:
        data = {"name": "came-by-itself", "model": "gpt-4o", "system_prompt": "Hi."}
        agent = api.post("/agents", json=data).json()
        expect(page.get_by_role("link", name="came-by-itself")).to_be_visible()
        expect(link).to_be_focused()
        api.delete(f"/agents/{agent['id']}")
    expect(page.get_by_role("link", name="came-by-itself")).to_have_count(0)


def test_dashboard_shows_the_latest_runs(page: Page, site: Site) -> None:
    page.goto("/")
    wait_until_live(page)
    begun = datetime.now(UTC).isoformat()
    run_id = report(site, started_at=begun, ended_at=None, status="running", spans=[])
    row = page.locator("#latest-runs tr").first
    expect(row.locator(f"a[href='/executions/{run_id}']")).to_be_visible()
    expect(row).to_contain_text("Running")


def test_page_whose_socket_is_lost_says_so_fetches_again_and_recovers(
    page: Page, site: Site
) -> None:
    sockets: list[WebSocketRoute] = []
    is_down = False

    def handle(socket: WebSocketRoute) -> None:
        if is_down:
            socket.close(code=1013, reason="down")
            return
        sockets.append(socket)
        socket.connect_to_server()

    page.route_web_socket(re.compile("/api/v1/ws/"), handle)
    page.goto("/executions?source=api")
    wait_until_live(page)
    is_down = True
    sockets[-1].close(code=1012, reason="restart")
    expect(page.locator("#live-state")).to_have_text("Reconnecting…")
    report(site)
    is_down = False
    wait_until_live(page)
    expect(page.get_by_role("link", name=re.compile("new: show"))).to_be_visible()


def test_page_without_a_socket_looks_now_and_then(page: Page, site: Site) -> None:
    page.route_web_socket(re.compile("/api/v1/ws/"), lambda socket: socket.close(code=1013))
    page.clock.install()
    page.goto("/executions?source=api")
    report(site)
    page.clock.run_for(18_000)
    expect(page.get_by_role("link", name="1 new: show")).to_be_visible()
    expect(page.locator("#live-state")).to_have_text("Reconnecting…")


def test_hidden_page_hangs_up_and_fetches_when_it_is_shown(page: Page, site: Site) -> None:
    page.clock.install()
    page.goto("/executions?source=api")
    wait_until_live(page)
    with page.expect_event("websocket", timeout=20_000) as opened:
        hide(page, hidden=True)
        page.clock.run_for(11_000)
        report(site)
        hide(page, hidden=False)
        page.clock.run_for(1_000)
    assert "/api/v1/ws/executions" in opened.value.url
    page.clock.resume()
    expect(page.get_by_role("link", name=re.compile("new: show"))).to_be_visible()


def hide(page: Page, *, hidden: bool) -> None:
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_page_of_who_was_signed_out_says_so_and_stays(open_page: OpenPage, site: Site) -> None:
    page = open_page(None)
    page.goto("/login")
    page.get_by_label("E-mail").fill(VIEWER)
    page.get_by_label("Password").fill("Correct-Horse-7")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile("/$"))
    page.goto("/executions")
    wait_until_live(page)
    # The same browser signs out in another tab.
    page.context.request.post(f"{site.url}/logout", headers={"Sec-Fetch-Site": "same-origin"})
    state = page.locator("#live-state")
    expect(state).to_have_text("Signed out")
    expect(page).to_have_url(re.compile("/executions$"))
    state.click()
    expect(page).to_have_url(re.compile("/login"))


def test_chart_is_hovered_redrawn_as_runs_come_and_zoomed(
    page: Page, site: Site, other_agent: Any
) -> None:
    begun = (datetime.now(UTC) - timedelta(minutes=10)).isoformat()
    run: dict[str, Any] = {"started_at": begun, "ended_at": None, "status": "running", "spans": []}
    run["agent_id"] = other_agent["id"]
    report(site, **run)
    page.goto(f"/?range=1h&agent_id={other_agent['id']}")
    wait_until_live(page)
    shown = page.locator("#figures .kpi .v").first
    expect(shown).to_have_text("1")
    drawn = page.locator("#drawn-runs canvas")
    drawn.evaluate("canvas => { canvas.dataset.kept = 'yes' }")
    report(site, **run)
    expect(shown).to_have_text("2")
    expect(drawn).to_have_attribute("data-kept", "yes")
    over = page.locator("#drawn-runs .u-over")
    over.hover()
    expect(page.locator("#drawn-runs .readout")).to_contain_text("runs")
    expect(page.locator("#drawn-failures .readout")).to_be_visible()
    box = over.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.5, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, middle, steps=4)
    page.mouse.up()
    page.wait_for_url(re.compile(r"since=.*&until="))
    expect(shown).to_have_text("2")
    expect(page.locator("nav[aria-label='Time range'] [aria-current]")).to_have_count(0)
