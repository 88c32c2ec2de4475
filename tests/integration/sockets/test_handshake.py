"""Who may open a socket: three kinds of credentials in headers, from our own pages, by room."""

import pytest

from app.core.permissions import Permission, Role
from app.models import User
from tests.integration.sockets.conftest import Headers, Site
from tests.sockets import Client, Refusal, dial, in_room


async def headers_by(site: Site, credential: str, user: User) -> Headers:
    match credential:
        case "cookie":
            return await site.cookie(user)
        case "key":
            return await site.key(user)
        case "key as bearer":
            key = await site.key(user)
            return {"Authorization": f"Bearer {key['X-API-Key']}"}
        case _:
            return await site.token(user)


@pytest.mark.parametrize("credential", ["cookie", "key", "key as bearer", "token"])
async def test_socket_opens_by_each_credential_and_hears(site: Site, credential: str) -> None:
    ada = await site.person()
    async with in_room(site.one, "agents", await headers_by(site, credential, ada)) as client:
        agent_id = await site.create_agent(ada)
        heard = await client.hear_event("agents")
        assert (heard["event"], heard["data"]) == ("create", {"id": agent_id})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": "gr_" + "x" * 43},
        {"X-API-Key": ""},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic YTpi"},
    ],
)
async def test_without_a_credential_that_is_good_nothing_opens(
    site: Site, headers: Headers
) -> None:
    refusal = await dial(site.one, "agents", headers)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (401, "UNAUTHORIZED")
    assert refusal.headers["x-content-type-options"] == "nosniff"
    assert refusal.headers["x-correlation-id"]


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1.evil.example", "http://127.0.0.1:1", None],
)
async def test_cookie_from_another_site_or_from_nowhere_opens_nothing(
    site: Site, origin: str | None
) -> None:
    headers = await site.cookie(await site.person())
    headers.pop("Origin")
    refusal = await dial(site.one, "agents", headers | ({"Origin": origin} if origin else {}))
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (403, "FORBIDDEN")


async def test_cookie_with_foreign_fetch_metadata_opens_nothing(site: Site) -> None:
    headers = await site.cookie(await site.person())
    refusal = await dial(site.one, "agents", headers | {"Sec-Fetch-Site": "cross-site"})
    assert isinstance(refusal, Refusal)
    assert refusal.status == 403


async def test_credential_in_the_address_opens_nothing_and_is_not_logged(site: Site) -> None:
    key = (await site.key(await site.person()))["X-API-Key"]
    refusal = await dial(site.one, f"agents?api_key={key}&X-API-Key={key}&token={key}", {})
    assert isinstance(refusal, Refusal)
    assert refusal.status == 401
    assert key not in site.log.read_text()


async def test_member_gets_in_by_key_and_token_but_not_by_cookie(site: Site) -> None:
    member = await site.person(Role.MEMBER)
    room = f"agent:{(await site.agent_of(member)).id}"
    refusal = await dial(site.one, room, await site.cookie(member))
    assert isinstance(refusal, Refusal)
    assert refusal.status == 401
    for headers in (await site.key(member), await site.token(member)):
        async with in_room(site.one, room, headers):
            pass


@pytest.mark.parametrize(
    "room",
    [
        "nonsense",
        "agent:",
        "agent:0",
        "agent:007",
        "agent:-1",
        "agent:1e3",
        "agent:٣",
        "agent:9223372036854775808",
        "users",
        "user:1",
        "api_keys",
        "*",
        "presence:execution:1",
        "presence:agent:987654321",
        "presence:",
        "x" * 500,
        "agent:1%00",
        "%F0%9F%98%80",
    ],
)
async def test_room_that_is_none_is_not_found(site: Site, room: str) -> None:
    refusal = await dial(site.one, room, await site.cookie(await site.person(Role.SUPERUSER)))
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (404, "RESOURCE_NOT_FOUND")


async def test_room_that_ones_permissions_do_not_reach_is_refused_and_on_record(
    site: Site,
) -> None:
    ada = await site.person()
    headers = await site.key(ada, (Permission.TOOLS_READ,))
    refusal = await dial(site.one, "agents", headers)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (403, "FORBIDDEN")
    assert await site.denied(ada) == ["WS /api/v1/ws/agents"]


async def test_one_owner_opens_no_more_than_so_many_sockets(site: Site) -> None:
    headers = await site.key(await site.person())
    opened = [await dial(site.one, "agents", headers) for _ in range(100)]
    try:
        assert all(isinstance(client, Client) for client in opened)
        refusal = await dial(site.one, "agents", headers)
        assert isinstance(refusal, Refusal)
        assert (refusal.status, refusal.code) == (429, "RATE_LIMIT_EXCEEDED")
    finally:
        for client in opened:
            if isinstance(client, Client):
                await client.connection.close()
    async with in_room(site.one, "agents", headers):
        pass
