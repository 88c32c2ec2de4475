"""A person from the invitation to the day they leave, in two browsers."""

import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pyotp
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Site, sign_in
from tests.browser.test_staff_tasks import new_agent

OpenPage = Callable[..., Page]
EMAIL, OWN_PASSWORD = "grace@example.com", "Compiler-Moth-9"


def invite(page: Page) -> str:
    page.goto("/users/invite")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Full name").fill("Grace Hopper")
    page.get_by_label("Role").select_option("staff")
    page.get_by_role("button", name="Invite").click()
    return page.locator(".secret code").inner_text()


def set_up_factor(page: Page) -> str:
    page.goto("/account/second-factor")
    page.get_by_role("button", name="Set up").click()
    page.get_by_text("I cannot scan it").click()
    secret = page.locator("details code").inner_text()
    page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("recovery codes")
    return page.locator("pre.codes").inner_text().split()[0]


def test_invited_works_with_a_second_factor_and_is_out_when_disabled(
    open_page: OpenPage, page: Page
) -> None:
    link = invite(page)
    person = open_page(None)
    person.goto(link)
    person.get_by_label("New password").fill(OWN_PASSWORD)
    person.get_by_label("The password again").fill(OWN_PASSWORD)
    person.get_by_role("button", name="Set password").click()
    sign_in(person, EMAIL, OWN_PASSWORD)
    expect(person.get_by_role("heading", level=1)).to_contain_text("Dashboard")

    recovery_code = set_up_factor(person)
    person.goto("/account")
    person.get_by_text("Account menu of").locator("xpath=..").click()
    person.get_by_role("button", name="Sign out").click()
    sign_in(person, EMAIL, OWN_PASSWORD)
    person.get_by_label("Code", exact=True).fill(recovery_code)
    person.get_by_role("button", name="Sign in").click()
    new_agent(person, "graces-bot")

    page.goto("/users?q=grace")
    page.get_by_role("link", name="Grace Hopper").click()
    page.get_by_role("button", name="Disable…").click()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Disabled")

    person.goto("/agents")
    expect(person).to_have_url(re.compile("/login"))
    sign_in(person, EMAIL, OWN_PASSWORD)
    expect(person.get_by_role("alert")).to_contain_text("do not belong")
    page.goto("/audit?resource=users")
    expect(page.locator("main")).to_contain_text("accepted the invitation of")


EVIL_PAGE = """<!doctype html><title>evil</title>
<form id="f" method="post" action="{target}"><input name="name" value="planted-agent">
<input name="model_name" value="m"><input name="max_tokens" value="1000">
<input name="config" value="{{}}"></form>
<script>
fetch("{target}", {{method: "POST", mode: "no-cors", credentials: "include",
  body: new URLSearchParams({{name: "planted-agent", model_name: "m", config: "{{}}"}})}})
  .catch(() => 0).then(() => document.getElementById("f").submit());
</script>"""


def evil_server(target: str) -> ThreadingHTTPServer:
    """Another site: another port is another origin, and another name another site."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = EVIL_PAGE.format(target=target).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_another_site_plants_nothing(
    browser: Browser, site: Site, signed_in: Callable[[str], object]
) -> None:
    server = evil_server(f"{site.url}/agents/new")
    context = browser.new_context(storage_state=signed_in("staff@example.com"))  # type: ignore[arg-type]  # as Playwright gave it
    page = context.new_page()
    for host in ("127.0.0.1", "localhost"):
        page.goto(f"http://{host}:{server.server_port}/")
        page.wait_for_url(f"{site.url}/agents/new")
        expect(page.locator("body")).to_contain_text("came from another site")
    page.goto(f"{site.url}/agents?q=planted")
    expect(page.locator("#results")).to_contain_text("No agent matches")
    context.close()
    server.shutdown()
    server.server_close()
