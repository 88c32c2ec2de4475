"""What staff do all day, in a real browser."""

import re
from collections.abc import Callable

from playwright.sync_api import Keyboard, Page, Route, expect

from tests.browser.conftest import STAFF, VIEWER, Site, sign_in
from tests.browser.test_accessibility import faults_on
from tests.factories.executions import execution_data
from tests.factories.users import PASSWORD

OpenPage = Callable[..., Page]


def new_agent(page: Page, name: str, prompt: str = "Be kind.") -> str:
    """Create an agent through the form; return its page's path."""
    page.goto("/agents/new")
    page.get_by_label("Name", exact=False).first.fill(name)
    page.get_by_label("Model").fill("gpt-4o")
    page.get_by_label("System prompt").fill(prompt)
    page.get_by_role("button", name="Create agent").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    return re.sub(r"\?.*", "", page.url)


def save(page: Page) -> None:
    """Return once it is saved: who goes on to another page before that may take it back."""
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="Messages")).to_contain_text("Saved.")


def test_wrong_password_says_so_and_the_right_one_leads_on(open_page: OpenPage) -> None:
    page = open_page(None)
    page.goto("/agents")
    sign_in(page, password="Wrong-Horse-7")
    expect(page.get_by_role("alert")).to_contain_text("do not belong")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/agents$"))
    page.get_by_text("Account menu of").locator("xpath=..").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/agents")
    expect(page).to_have_url(re.compile("/login"))


def test_field_errors_stand_beside_their_fields_and_keep_the_input(page: Page) -> None:
    page.goto("/agents/new")
    page.get_by_label("Name", exact=False).first.fill("not a name")
    page.get_by_label("Max tokens").fill("7")
    page.get_by_role("button", name="Create agent").click()
    expect(page.locator("#f-name-e")).to_contain_text("letters, digits")
    expect(page.locator("#f-max_tokens-e")).to_contain_text("at least 100")
    expect(page.locator("#f-name")).to_have_value("not a name")
    expect(page.locator("#f-name")).to_have_attribute("aria-invalid", "true")
    page.get_by_role("link", name=re.compile("Max tokens")).click()
    expect(page.locator("#f-max_tokens")).to_be_focused()


def test_two_edits_of_one_agent_are_merged_and_nothing_is_lost(open_page: OpenPage) -> None:
    mine, theirs = open_page(), open_page()
    path = new_agent(mine, "merge-me")
    mine.goto(f"{path}/edit")
    theirs.goto(f"{path}/edit")
    theirs.get_by_label("Max tokens").fill("4000")
    save(theirs)
    mine.get_by_label("Description").fill("Books flights")
    mine.get_by_role("button", name="Save").click()
    expect(mine.get_by_role("heading", name="Someone saved in between")).to_be_visible()
    mine.get_by_role("button", name="Save merged").click()
    expect(mine.locator("main")).to_contain_text("Books flights")
    expect(mine.locator("main")).to_contain_text("4,000")


def test_revision_is_restored_after_a_question(page: Page) -> None:
    path = new_agent(page, "restore-me", "First words.")
    page.goto(f"{path}/edit")
    page.get_by_label("System prompt").fill("Second words.")
    save(page)
    page.goto(f"{path}/revisions")
    expect(page.locator("#diff")).to_contain_text("Second words.")
    page.get_by_role("button", name="Restore r1…").click()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("region", name="Messages")).to_contain_text("Restored.")
    page.goto(path)
    expect(page.locator("main")).to_contain_text("First words.")


def test_live_search_ends_with_the_last_word_typed_on_a_slow_server(page: Page) -> None:
    def slowly(route: Route) -> None:
        page.wait_for_timeout(150)
        route.continue_()

    page.goto("/agents")
    page.route("**/agents?q=*", slowly)
    page.get_by_label("Search agents").press_sequentially("retail", delay=60)
    expect(page.locator("#results tbody tr")).to_have_count(1)
    expect(page.locator("#results")).to_contain_text("retail-support")
    expect(page).to_have_url(re.compile("q=retail"))


def test_list_is_narrowed_by_keyboard_and_kept_as_a_view(page: Page) -> None:
    page.goto("/executions")
    chip = page.locator("#filter-status > summary")
    chip.press("Enter")
    expect(page.get_by_label("Pending")).to_be_focused()
    page.keyboard.press("Escape")
    expect(chip).to_be_focused()
    chip.press("Enter")
    page.get_by_label("Succeeded").check()
    assert not faults_on(page), "an open menu can be used by everyone"
    page.get_by_label("Succeeded").press("Enter")
    expect(page).to_have_url(re.compile(r"/executions\?status=succeeded$"))
    page.get_by_role("link", name="Started").click()
    expect(page.locator("th[aria-sort=ascending]")).to_have_text("Started")
    page.locator("#views > summary").press("Enter")
    page.get_by_label("Save what is shown as").fill("Went well")
    page.get_by_role("button", name="Save view").click()
    expect(page.locator("#views > summary")).to_contain_text("Went well")
    expect(page).to_have_url(re.compile("status=succeeded&sort=started_at&view="))


def test_run_is_found_by_a_word_and_its_trace_read(page: Page) -> None:
    page.goto("/executions")
    page.get_by_label("Search executions").fill("zebra")
    expect(page.locator("#results tbody tr")).to_have_count(1)
    page.locator("#results .row-link").click()
    expect(page.locator("#conversation")).to_contain_text("Where is my bag?")
    expect(page.locator("#conversation")).to_contain_text("find_bag")
    page.keyboard.press("e")
    expect(page.locator("tr.has-error a.step")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#span")).to_contain_text("bag not found")
    page.get_by_role("link", name="Raw").click()
    expect(page.locator("#span")).to_contain_text('"status": "error"')
    page.locator("tr.has-error a.step").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#trace tbody tr:visible")).to_have_count(1)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("f")
    page.keyboard.type("chat")
    expect(page.get_by_text("1 step holds")).to_be_visible()
    expect(page.locator("#trace tr.hit")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#step h2")).to_have_text("chat gpt-4o")


def test_pages_of_runs_go_forth_and_back(page: Page) -> None:
    page.goto("/executions")
    first = page.locator("#results .row-link").first.get_attribute("href")
    page.get_by_role("link", name="Older").click()
    expect(page.locator("#results .row-link").first).not_to_have_attribute("href", first or "")
    page.get_by_role("link", name="Newer").click()
    expect(page.locator("#results .row-link").first).to_have_attribute("href", first or "")


def test_range_of_rows_is_ticked_in_a_list_of_several_pages(page: Page) -> None:
    page.goto("/executions")
    boxes = page.locator("tbody input[name=ids]")
    bar = page.get_by_role("form", name="Change the selected rows")
    boxes.nth(1).click()
    # How many rows match is fetched with the first tick.
    expect(bar).to_contain_text(re.compile(r"or all \d+ that match"))
    boxes.nth(4).click(modifiers=["Shift"])
    expect(bar).to_contain_text("4 selected")


def test_new_runs_are_announced_without_moving_the_rows(page: Page, site: Site) -> None:
    page.goto("/executions?source=api")
    with site.api() as api:
        agent = type("Ref", (), {"id": site.agent_id})()
        api.post("/executions", json=execution_data(agent))
    page.evaluate("htmx.trigger('#new-runs', 'every')")
    expect(page.get_by_role("link", name=re.compile("new: show"))).to_be_visible(timeout=15_000)
    page.get_by_role("link", name=re.compile("new: show")).click()
    expect(page.get_by_role("link", name=re.compile("new: show"))).to_have_count(0)


def test_key_is_shown_once_and_revoked_after_a_question(page: Page) -> None:
    page.goto("/keys/new")
    page.get_by_label("Name").fill("browser-key")
    page.get_by_role("button", name="Make the key").click()
    token = page.locator("#new-key").inner_text()
    assert token.startswith("gr_")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_contain_text("browser-key")
    page.goto("/keys")
    expect(page.get_by_role("row").filter(has_text="browser-key")).to_have_count(1)
    expect(page.locator("main")).not_to_contain_text(token)
    row = page.get_by_role("row").filter(has_text="browser-key")
    row.get_by_role("button", name="Revoke…").click()
    agree = page.get_by_role("dialog").get_by_role("button", name="Revoke")
    expect(agree).to_be_disabled()
    page.get_by_label("Type browser-key to confirm").fill("browser-key")
    agree.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Revoked")


def test_invalid_json_schema_is_explained(page: Page) -> None:
    page.goto("/tools/new")
    page.get_by_label("Name").fill("bad-tool")
    page.get_by_label("Parameters").fill('{"type": "nonsense"}')
    page.get_by_role("button", name="Create tool").click()
    expect(page.locator("#f-parameters-e")).to_contain_text("not a valid JSON Schema")


def test_trashed_agent_comes_back_by_undo(page: Page) -> None:
    new_agent(page, "trash-me")
    page.get_by_label("More actions").click()
    page.get_by_role("button", name="Move to trash").click()
    expect(page.locator("#results")).not_to_contain_text("trash-me")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("trash-me")


def test_audit_shows_old_and_new(page: Page) -> None:
    path = new_agent(page, "watched")
    page.goto(f"{path}/edit")
    page.get_by_label("Max tokens").fill("2345")
    save(page)
    page.goto("/audit?resource=agents&action=update")
    page.locator("tbody details summary").first.click()
    expect(page.locator("tbody tr").first).to_contain_text("1000")
    expect(page.locator("tbody tr").first).to_contain_text("2345")


def test_viewer_reads_and_cannot_change(open_page: OpenPage, site: Site) -> None:
    page = open_page(VIEWER)
    page.goto(f"/agents/{site.agent_id}")
    expect(page.get_by_role("link", name="Edit")).to_have_count(0)
    page.goto("/agents/new")
    expect(page.get_by_role("heading", name="You may not do this")).to_be_visible()


def test_keyboard_finds_rows_and_pages(page: Page) -> None:
    page.goto("/agents")
    page.keyboard.press("/")
    expect(page.locator("main [type=search], .top [type=search]").locator(":focus")).to_have_count(
        0
    )
    assert page.evaluate("document.activeElement.type") == "search"
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("j")
    assert "row-link" in page.evaluate("document.activeElement.className")
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page).to_have_url(re.compile("/tools$"))


def test_data_admin_creates_edits_and_trashes(page: Page) -> None:
    page.goto("/admin/tools/create")
    page.get_by_label("Name").fill("admin-made")
    page.get_by_role("button", name=re.compile("Save|Create")).first.click()
    expect(page.locator("main")).to_contain_text("admin-made")
    page.goto("/admin/tools/list?search=admin-made")
    page.locator("tbody a[href*='/edit/']").first.click()
    page.get_by_label("Description").fill("Made in the data admin")
    page.get_by_role("button", name="Save").first.click()
    page.wait_for_url(re.compile("/admin/tools/(list|details)"))
    page.goto("/tools?q=admin-made")
    expect(page.locator("#results")).to_contain_text("Made in the data admin")
    page.goto("/admin/tools/list?search=admin-made")
    page.locator("tbody input[type=checkbox]").first.check()
    page.get_by_role("button", name="Trash").click()
    expect(page.get_by_role("region", name="Messages")).to_contain_text("trash")
    page.goto("/trash?resource=tools")
    expect(page.locator("main")).to_contain_text("admin-made")


def test_everything_reads_and_saves_without_javascript(open_page: OpenPage, site: Site) -> None:
    page = open_page(java_script_enabled=False)
    page.goto("/agents")
    page.get_by_label("Search agents").fill("retail")
    page.get_by_role("button", name="Search", exact=True).first.click()
    expect(page.locator("#results")).to_contain_text("retail-support")
    expect(page.locator("#results")).not_to_contain_text("airline-support")
    page.locator("#results .row-link").click()
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Description").fill("Sells shoes and hats")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("Sells shoes and hats")
    page.goto(f"/executions/{site.run_id}")
    page.locator("#trace a.step").first.click()
    expect(page.locator("#span")).to_be_visible()


def log_in_by_keyboard(page: Page) -> None:
    page.goto("/login")
    page.keyboard.type(STAFF)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/$"))  # and its scripts are there


def open_by_palette(page: Page, keys: Keyboard) -> None:
    keys.press("Control+k")
    keys.type("retail")
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("retail-support")


def edit_prompt(page: Page, keys: Keyboard) -> None:
    """What is typed is there again after a wrong turn."""
    page.get_by_role("link", name="Edit").focus()
    keys.press("Enter")
    page.wait_for_url(re.compile("/edit"))  # and its scripts are there
    page.get_by_label("System prompt").focus()
    keys.press("Control+a")
    keys.type("Sell shoes, kindly.")
    expect(page.get_by_text("Kept in this browser")).to_be_visible()
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.get_by_text("You have unsaved changes")).to_be_visible()
    page.get_by_role("button", name="Restore").focus()
    keys.press("Enter")
    keys.press("Control+Enter")
    expect(page.get_by_role("region", name="Messages")).to_contain_text("Saved.")
    expect(page.locator("main")).to_contain_text("Sell shoes, kindly.")


def find_failing_step(page: Page, keys: Keyboard) -> None:
    keys.press("g")
    keys.press("e")
    page.wait_for_url(re.compile("/executions"))  # and its scripts are there
    keys.press("/")
    keys.type("zebra")
    expect(page.locator("#results tbody tr")).to_have_count(1)
    keys.press("ArrowDown")
    keys.press("Enter")
    page.wait_for_url(re.compile(r"/executions/\d+"))  # and its scripts are there
    keys.press("e")
    expect(page.locator("#trace tr.has-error a.step").last).to_be_focused()


def trash_and_undo(page: Page, keys: Keyboard) -> None:
    page.get_by_label("More actions").focus()
    keys.press("Enter")
    page.get_by_role("button", name="Move to trash").focus()
    keys.press("Enter")
    page.get_by_role("button", name="Undo").focus()
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("retail-support")


def test_five_tasks_are_done_by_keyboard_alone(open_page: OpenPage) -> None:
    page = open_page(None)
    keys = page.keyboard
    log_in_by_keyboard(page)
    open_by_palette(page, keys)
    edit_prompt(page, keys)
    find_failing_step(page, keys)
    keys.press("Escape")
    open_by_palette(page, keys)
    trash_and_undo(page, keys)
