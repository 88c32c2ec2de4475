"""The pages of API keys: what they show, to whom, and what they refuse."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.permissions import KEY_SCOPES
from app.models import ApiKey, User
from app.pages.api_keys import SCOPE_HINTS
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.clients import log_in
from tests.factories.executions import execution_data
from tests.factories.users import make_user

SOON = timedelta(days=6)


@pytest.fixture
async def root(
    client: httpx2.AsyncClient, session: AsyncSession, settings: Settings, superuser: User
) -> httpx2.AsyncClient:
    await log_in(client, session, settings, superuser)
    return client


async def key_called(session: AsyncSession, user: User, name: str, **values: Any) -> ApiKey:
    key, _ = await make_api_key(session, user)
    for field, value in ({"name": name} | values).items():
        setattr(key, field, value)
    await session.flush()
    return key


def names_in(html: str) -> list[str]:
    return [node.text(strip=True) for node in LexborHTMLParser(html).css("tbody .row-link")]


def main_text(html: str) -> str:
    node = LexborHTMLParser(html).css_first("main")
    return " ".join(node.text(separator=" ").split()) if node else ""


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "Active"),
        ({"expires_at": datetime.now(UTC) + SOON}, "Expires soon"),
        ({"expires_at": datetime.now(UTC) - SOON}, "Expired"),
        ({"revoked_at": datetime.now(UTC)}, "Revoked"),
        ({"allowed_cidrs": ["192.0.2.0/24"]}, "from 192.0.2.0/24"),
        ({"allowed_cidrs": ["192.0.2.0/24", "2001:db8::/32"]}, "from 2 ranges"),
    ],
)
async def test_state_and_limits_of_a_key_are_said_in_words(
    web: httpx2.AsyncClient,
    session: AsyncSession,
    staff: User,
    values: dict[str, Any],
    says: str,
) -> None:
    key = await key_called(session, staff, "shown", **values)
    for path in ("/keys", f"/keys/{key.id}"):
        assert says in main_text((await web.get(path)).text)


async def test_page_of_a_rotated_key_leads_to_its_successor_and_back(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    old_id = (await key_called(session, staff, "turning")).id
    made = await web.post(f"/keys/{old_id}/rotate", data={"overlap_hours": "24"})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    assert f'href="/keys/{old_id}"' in made.text
    new_id = await session.scalar(select(func.max(ApiKey.id)))
    session.expire_all()
    shown = await web.get(f"/keys/{old_id}")
    assert "works until" in main_text(shown.text)
    assert f'href="/keys/{new_id}"' in shown.text
    assert f"/keys/{old_id}/rotate" not in shown.text
    assert f'href="/keys/{old_id}"' in (await web.get(f"/keys/{new_id}")).text


async def test_page_of_a_key_counts_the_runs_it_reported(
    web: httpx2.AsyncClient, client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    agent = await make_agent(session, actor_for(staff))
    key, token = await make_api_key(session, staff)
    for _ in range(2):
        await client.post(
            "/api/v1/executions", json=execution_data(agent), headers={"X-API-Key": token}
        )
    other, _ = await make_api_key(session, staff, agent=agent)
    assert "Runs reported 2 " in main_text((await web.get(f"/keys/{key.id}")).text)
    assert "Runs reported 0 " in main_text((await web.get(f"/keys/{other.id}")).text)


async def test_count_of_runs_says_how_far_it_looked(
    web: httpx2.AsyncClient,
    client: httpx2.AsyncClient,
    session: AsyncSession,
    staff: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("app.services.api_keys", "app.pages.api_keys"):
        monkeypatch.setattr(f"{module}.RUNS_LOOKED_AT", 1)
    agent = await make_agent(session, actor_for(staff))
    key, token = await make_api_key(session, staff)
    for _ in range(2):
        await client.post(
            "/api/v1/executions", json=execution_data(agent), headers={"X-API-Key": token}
        )
    shown = main_text((await web.get(f"/keys/{key.id}")).text)
    assert "Runs reported 1 among the newest 1 run" in shown


async def test_record_of_a_key_is_for_who_may_read_the_audit_log(
    root: httpx2.AsyncClient, web: httpx2.AsyncClient, session: AsyncSession, superuser: User
) -> None:
    for client, sees in ((root, True), (web, False)):
        made = await client.post("/keys/new", data={"name": "x", "scopes": ["agents:read"]})
        assert made.status_code == 201
        key_id = await session.scalar(select(func.max(ApiKey.id)))
        shown = main_text((await client.get(f"/keys/{key_id}")).text)
        assert ("What happened to it" in shown) is sees
        assert (f"{superuser.full_name} created it" in shown) is sees


async def test_superuser_narrows_everyones_keys_to_an_owner(
    root: httpx2.AsyncClient, session: AsyncSession, superuser: User
) -> None:
    one, two = await make_user(session), await make_user(session)
    long_ago = datetime.now(UTC) - timedelta(days=40)
    await key_called(session, superuser, "own")
    await key_called(session, one, "of one", created_at=long_ago)
    await key_called(session, two, "of two", created_at=long_ago)
    assert names_in((await root.get("/keys")).text) == ["own"]
    everyone = await root.get("/keys?everyone=1")
    assert {"own", "of one", "of two"} <= set(names_in(everyone.text))
    narrowed = await root.get(f"/keys?everyone=1&user_id={one.id}")
    assert names_in(narrowed.text) == ["of one"]
    review = f"/keys?user_id={one.id}&amp;everyone=1&amp;unused_days=30"
    assert f'href="{review}"' in narrowed.text
    unused = await root.get(review.replace("&amp;", "&"))
    assert names_in(unused.text) == ["of one"]


async def test_switch_and_filters_of_superusers_do_nothing_for_staff(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    other = await make_user(session)
    foreign = await key_called(session, other, "foreign")
    await key_called(session, staff, "own")
    for query in (
        "everyone=1",
        f"user_id={other.id}",
        f"everyone=1&user_id={other.id}",
        "q=foreign",
    ):
        page = (await web.get(f"/keys?{query}")).text
        assert "foreign" not in names_in(page)
        assert other.email not in page
    for method, path in (
        ("GET", f"/keys/{foreign.id}"),
        ("POST", f"/keys/{foreign.id}/rename"),
        ("POST", f"/keys/{foreign.id}/rotate"),
        ("POST", f"/keys/{foreign.id}/revoke"),
    ):
        assert (await web.request(method, path, data={"name": "x"})).status_code == 404


async def test_superuser_revokes_but_does_not_rotate_anothers_key(
    root: httpx2.AsyncClient, session: AsyncSession
) -> None:
    key = await key_called(session, await make_user(session), "foreign")
    assert f"/keys/{key.id}/rotate" not in (await root.get(f"/keys/{key.id}")).text
    assert (await root.post(f"/keys/{key.id}/rotate")).status_code == 403
    assert (await root.post(f"/keys/{key.id}/revoke")).status_code == 303
    await session.refresh(key)
    assert key.revoked_at is not None


async def test_key_of_a_disabled_owner_says_so(
    root: httpx2.AsyncClient, session: AsyncSession
) -> None:
    key = await key_called(session, await make_user(session, active=False), "idle")
    assert "so the key opens nothing" in (await root.get(f"/keys/{key.id}")).text
    assert "Disabled" in (await root.get("/keys?everyone=1")).text


async def test_refused_new_name_is_shown_again(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    key = await key_called(session, staff, "as it was")
    for wrong in ("", "x" * 101, "nul\x00"):
        refused = await web.post(f"/keys/{key.id}/rename", data={"name": wrong})
        assert refused.status_code == 422
        assert 'id="f-name-e"' in refused.text
    done = await web.post(f"/keys/{key.id}/rename", data={"name": "better"})
    assert (done.status_code, done.headers["location"].split("?")[0]) == (303, f"/keys/{key.id}")
    await session.refresh(key)
    assert key.name == "better"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"days": "5000"}, "days"),
        ({"days": "never"}, "days"),
        ({"allowed_cidrs": "10.0.0.0/8\n10.0.0.0/99"}, "allowed_cidrs"),
        ({"agent_id": "987654321"}, "agent_id"),
        ({"scopes": []}, "scopes"),
        ({"name": ""}, "name"),
    ],
)
async def test_refused_form_keeps_what_was_typed(
    web: httpx2.AsyncClient, wrong: dict[str, Any], field: str
) -> None:
    form = {"name": "typed", "scopes": ["agents:read"], "days": "30", "allowed_cidrs": "192.0.2.1"}
    refused = await web.post("/keys/new", data=form | wrong)
    assert refused.status_code == 422
    assert f'id="f-{field}-e"' in refused.text
    kept = (form | wrong)["allowed_cidrs"].split("\n")[-1]
    assert kept in refused.text


@pytest.mark.parametrize(
    ("days", "lasts"), [("7", timedelta(days=7)), ("365", timedelta(days=365)), ("", None)]
)
async def test_key_lasts_as_long_as_chosen(
    web: httpx2.AsyncClient, session: AsyncSession, days: str, lasts: timedelta | None
) -> None:
    form = {"name": "x", "scopes": ["agents:read"], "days": days}
    assert (await web.post("/keys/new", data=form)).status_code == 201
    key = (await session.scalars(select(ApiKey).order_by(ApiKey.id.desc()).limit(1))).one()
    left = key.expires_at and key.expires_at - datetime.now(UTC)
    assert (left is None) is (lasts is None)
    assert not (left and lasts) or abs(left - lasts) < timedelta(minutes=1)


async def test_every_scope_is_explained_where_keys_are_made(web: httpx2.AsyncClient) -> None:
    shown = (await web.get("/keys/new")).text
    assert [scope for scope in KEY_SCOPES if f'value="{scope.value}"' not in shown] == []
    assert set(SCOPE_HINTS) == set(KEY_SCOPES)
