"""Lists as people keep them: opened, changed, shared, and where a bare link leads."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.core.permissions import Role
from app.models import SavedView, User
from app.services import saved_views
from tests.conftest import actor_for, client_of
from tests.factories.clients import log_in
from tests.factories.saved_views import make_saved_view
from tests.factories.users import make_user

FAILED = "status=failed&range=24h"
API = "/api/v1/saved-views"


@pytest.fixture
async def view(session: AsyncSession, actor: Actor) -> SavedView:
    return await make_saved_view(session, actor, name="Failed today")


def link_to(view: SavedView) -> str:
    return f"/executions?{FAILED}&view={view.id}"


def menu_of(answer: httpx2.Response) -> str:
    menu = LexborHTMLParser(answer.text).css_first("#views")
    assert menu is not None
    return menu.text()


async def test_what_a_list_shows_is_kept_under_a_name_and_opens_again(
    web: httpx2.AsyncClient,
) -> None:
    shown = "status=failed&status=nonsense&model=gpt-4o&sort=started_at&cols=tags&cursor=x"
    form = {"resource": "executions", "name": "Mine", "query": shown}
    made = await web.post("/views", data=form)
    link = made.headers["location"]
    assert "model=gpt-4o&status=failed" in link or "status=failed&model=gpt-4o" in link
    assert "sort=started_at&cols=tags&view=" in link
    opened = await web.get(link)
    assert opened.status_code == 200
    assert menu_of(opened).lstrip().startswith("Mine")
    assert "changed" not in menu_of(opened)
    again = await web.post("/views", data=form)
    assert again.status_code == 422
    assert "already have a view" in again.text
    assert "status=failed" in again.text, "what was shown is not lost"
    nameless = await web.post("/views", data=form | {"name": " "})
    assert nameless.status_code == 422


async def test_view_that_is_left_says_so_and_takes_what_is_shown(
    web: httpx2.AsyncClient, view: SavedView
) -> None:
    other = await web.get(link_to(view) + "&model=gpt-4o")
    assert "changed" in menu_of(other)
    assert 'name="row_version" value="1"' in other.text
    shown = {"query": "model=gpt-4o", "row_version": "1"}
    kept = await web.post(f"/views/{view.id}/update", data=shown)
    assert kept.headers["location"].startswith(f"/executions?model=gpt-4o&view={view.id}")
    late = await web.post(f"/views/{view.id}/update", data=shown | {"query": "model=other"})
    assert late.status_code == 412
    assert "in between" in late.text
    form = {"name": "By model", "row_version": "2", "is_shared": "true"}
    await web.post(f"/views/{view.id}/edit", data=form)
    listed = await web.get("/views?resource=executions")
    assert "By model" in listed.text
    assert "model: gpt-4o" in listed.text
    stale = await web.post(f"/views/{view.id}/edit", data=form | {"name": "Late"})
    assert stale.status_code == 422
    assert "in between" in stale.text


async def test_deleted_view_comes_back_by_the_undo_of_its_message(
    web: httpx2.AsyncClient, view: SavedView
) -> None:
    gone = await web.post(f"/views/{view.id}/delete")
    page = await web.get(gone.headers["location"])
    assert f'action="/views/{view.id}/restore"' in page.text
    assert "Failed today" not in menu_of(page)
    back = await web.post(f"/views/{view.id}/restore")
    assert "Failed today" in menu_of(await web.get(back.headers["location"]))


async def test_bare_link_opens_the_default_view_and_shows_the_way_out(
    web: httpx2.AsyncClient, view: SavedView
) -> None:
    chosen = await web.post(f"/views/{view.id}/default")
    assert chosen.headers["location"].startswith(link_to(view))
    led = await web.get("/executions?notice=saved")
    assert led.headers["location"] == link_to(view) + "&notice=saved"
    page = await web.get(link_to(view))
    assert 'href="/executions?view=all"' in page.text
    assert (await web.get("/executions?view=all")).status_code == 200
    assert (await web.get("/executions?status=failed")).status_code == 200
    # Taking filters off stays where one is.
    narrowed = LexborHTMLParser((await web.get("/executions?status=failed")).text)
    removing = narrowed.css_first("#chips .x")
    assert removing is not None
    assert removing.attributes["href"] == "/executions?view=all"
    assert (await web.get(f"/views/{view.id}")).headers["location"] == link_to(view)
    await web.post("/views/lists/executions/default")
    assert (await web.get("/executions")).status_code == 200
    assert (await web.get("/executions?view=987654321")).status_code == 200


async def test_default_view_that_is_gone_leads_nowhere(
    web: httpx2.AsyncClient, view: SavedView
) -> None:
    await web.post(f"/views/{view.id}/default")
    await web.post(f"/views/{view.id}/delete")
    assert (await web.get("/executions")).status_code == 200


async def test_columns_are_remembered_for_oneself(
    web: httpx2.AsyncClient, app: FastAPI, session: AsyncSession, settings: Settings
) -> None:
    form = {"cols": ["created", "nonsense"], "is_active": "true", "sort": "-created_at"}
    kept = await web.post("/views/lists/agents/columns", data=form)
    assert kept.headers["location"].startswith("/agents?is_active=true&sort=-created_at&notice=")

    def ticked(answer: httpx2.Response) -> list[str]:
        boxes = LexborHTMLParser(answer.text).css("#columns input[name=cols][checked]")
        return [str(box.attributes["value"]) for box in boxes]

    assert ticked(await web.get("/agents")) == ["name", "created"]
    assert ticked(await web.get("/agents?cols=owner")) == ["name", "owner"]
    async with client_of(app) as other:
        await log_in(other, session, settings, await make_user(session, Role.STAFF))
        assert "changed" in ticked(await other.get("/agents"))
    await web.post("/views/lists/agents/columns", data={})
    assert "changed" in ticked(await web.get("/agents"))


@pytest.mark.parametrize(
    ("role", "is_shared", "sees", "may_change"),
    [
        (Role.VIEWER, True, True, False),
        (Role.STAFF, True, True, False),
        (Role.STAFF, False, False, False),
        (Role.SUPERUSER, True, True, True),
    ],
)
async def test_shared_view_is_read_by_all_and_changed_by_its_owner_or_a_superuser(
    app: FastAPI,
    session: AsyncSession,
    settings: Settings,
    actor: Actor,
    role: Role,
    is_shared: bool,
    sees: bool,
    may_change: bool,
) -> None:
    view = await make_saved_view(session, actor, is_shared=is_shared)
    async with client_of(app) as other:
        await log_in(other, session, settings, await make_user(session, role))
        assert (view.name in menu_of(await other.get("/executions"))) is sees
        form = await other.get(f"/views/{view.id}/edit")
        assert form.status_code == (200 if may_change else 403 if sees else 404)
        shown = {"query": "q=x", "row_version": "1"}
        changed = await other.post(f"/views/{view.id}/update", data=shown)
        assert changed.status_code == (303 if may_change else 403 if sees else 404)
        gone = await other.post(f"/views/{view.id}/delete")
        assert gone.status_code == (303 if may_change else 403 if sees else 404)


async def test_own_views_are_offered_however_many_others_share(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_views, "SHOWN", 2)
    theirs = actor_for(await make_user(session, Role.VIEWER))
    for n in range(3):
        await make_saved_view(session, theirs, name=f"a-{n}", is_shared=True)
    own = await make_saved_view(session, actor, name="z-own")
    assert own.name in menu_of(await web.get("/executions"))


async def test_viewer_keeps_views_of_their_own(
    app: FastAPI, session: AsyncSession, settings: Settings, viewer: User
) -> None:
    async with client_of(app) as reader:
        await log_in(reader, session, settings, viewer)
        form = {"resource": "tools", "name": "HTTP tools", "query": "kind=http"}
        assert (await reader.post("/views", data=form)).status_code == 303


@pytest.mark.parametrize(
    "wrong",
    [
        {"filters": {"nope": ["1"]}},
        {"filters": {"status": ["nonsense"]}},
        {"filters": {"cursor": ["x"]}},
        {"sort": "cost"},
        {"columns": ["nope"]},
        {"resource": "spans"},
        {"name": ""},
    ],
)
async def test_view_that_no_list_could_show_is_refused(
    web: httpx2.AsyncClient, wrong: dict[str, Any]
) -> None:
    data: dict[str, Any] = {"resource": "executions", "name": "Kept", "filters": {"q": "x"}}
    assert (await web.post(API, json=data | wrong)).status_code == 422


async def test_views_over_json_are_made_found_changed_and_trashed(
    web: httpx2.AsyncClient, session: AsyncSession, superuser: User
) -> None:
    data = {"resource": "executions", "name": "Failed", "filters": {"status": "failed"}}
    made = (await web.post(API, json=data)).json()
    assert made["filters"] == {"status": ["failed"]}
    private = await make_saved_view(session, actor_for(superuser))
    listed = (await web.get(f"{API}?resource=executions&q=fail")).json()["items"]
    assert [each["id"] for each in listed] == [made["id"]]
    assert (await web.get(f"{API}/{private.id}")).status_code == 404
    path = f"{API}/{made['id']}"
    stale = await web.patch(path, json={"is_shared": True}, headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    assert (await web.patch(path, json={"is_shared": True})).json()["is_shared"]
    assert (await web.delete(path)).status_code == 204
    assert (await web.get(path)).status_code == 404
    assert (await web.post(f"{path}/restore")).status_code == 200
