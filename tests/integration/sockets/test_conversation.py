"""What is said in a room is heard by the others in it, in every process, and within limits."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from app.api.sockets import BURST, MAX_MESSAGE_BYTES, MAX_ROOMS
from app.core.permissions import Permission
from tests.integration.sockets.conftest import Site
from tests.sockets import in_room


async def test_message_reaches_the_others_in_every_process_and_not_its_sender(site: Site) -> None:
    ada = await site.person()
    headers = await site.key(ada)
    room = f"agent:{(await site.agent_of(ada)).id}"
    async with (
        in_room(site.one, room, headers) as sender,
        in_room(site.one, room, headers) as beside,
        in_room(site.two, room, headers) as elsewhere,
        in_room(site.two, "executions", headers) as outside,
    ):
        await sender.say(type="message", data={"text": "hello"})
        await beside.say(type="message", room=room, data=["back"])
        first, second = await elsewhere.hear_event(room), await elsewhere.hear_event(room)
        assert [first["data"]["data"], second["data"]["data"]] == [{"text": "hello"}, ["back"]]
        assert first["data"]["from"].startswith("key:")
        assert first["data"]["id"] != second["data"]["id"]
        assert (await sender.hear_event(room))["data"]["data"] == ["back"]
        assert (await beside.hear_event(room))["data"]["data"] == {"text": "hello"}
        assert await outside.rest() == []
        assert await sender.rest() == []


async def test_equal_messages_are_each_heard(site: Site) -> None:
    ada = await site.person()
    headers = await site.key(ada)
    room = f"agent:{(await site.agent_of(ada)).id}"
    async with in_room(site.one, room, headers) as one, in_room(site.two, room, headers) as two:
        for _ in range(3):
            await one.say(type="message", data="tick")
        heard = [await two.hear_event(room) for _ in range(3)]
    assert [event["data"]["data"] for event in heard] == ["tick"] * 3
    assert len({event["data"]["id"] for event in heard}) == 3


async def test_both_processes_tell_the_same_in_the_same_order(site: Site) -> None:
    ada = await site.person()
    headers = await site.key(ada)
    async with (
        in_room(site.one, "agents", headers) as one,
        in_room(site.two, "agents", headers) as two,
    ):
        made = await asyncio.gather(*(site.create_agent(ada) for _ in range(8)))
        first = [await one.hear_event("agents") for _ in made]
        second = [await two.hear_event("agents") for _ in made]
    assert first == second
    assert {event["data"]["id"] for event in first} == set(made)


async def test_nothing_is_lost_when_the_listeners_are_cut_off(site: Site) -> None:
    ada = await site.person()
    headers = await site.key(ada)
    async with (
        in_room(site.one, "agents", headers) as one,
        in_room(site.two, "agents", headers) as two,
    ):
        made = []
        for n in range(6):
            made.append(await site.create_agent(ada))
            if n % 2 == 0:
                await site.cut_off_listeners()
        heard = [[(await c.hear_event("agents"))["data"]["id"] for _ in made] for c in (one, two)]
    assert heard == [made, made]


async def test_one_socket_joins_and_leaves_further_rooms(site: Site) -> None:
    ada = await site.person()
    headers = await site.key(ada)
    async with in_room(site.one, "tools", headers) as client:
        assert await client.join("agents") == {"type": "joined", "room": "agents"}
        agent_id = await site.create_agent(ada)
        assert (await client.hear_event("agents"))["data"] == {"id": agent_id}
        await client.say(type="leave", room="agents")
        assert await client.hear() == {"type": "left", "room": "agents"}
        await site.create_agent(ada)
        async with in_room(site.one, "agents", headers) as other:
            later = await site.create_agent(ada)
            while (await other.hear_event("agents"))["data"]["id"] != later:
                pass
        assert await client.rest() == []


async def test_every_join_is_asked_for_anew(site: Site) -> None:
    ada, bob = await site.person(), await site.person()
    own, theirs = await site.agent_of(ada), await site.agent_of(bob)
    headers = await site.key(ada, (Permission.AGENTS_READ,), own)
    async with in_room(site.one, f"agent:{own.id}", headers) as client:
        foreign = await client.join(f"agent:{theirs.id}")
        missing = await client.join("agent:987654321")
        nonsense = await client.join("nonsense")
        assert {answer["code"] for answer in (foreign, missing, nonsense)} == {"RESOURCE_NOT_FOUND"}
        assert {answer["message"] for answer in (foreign, missing)} == {nonsense["message"]}
        assert (await client.join("agents"))["code"] == "RESOURCE_NOT_FOUND"
        assert (await client.join("tools"))["code"] == "FORBIDDEN"


async def test_only_who_may_change_a_row_speaks_in_its_room(site: Site) -> None:
    ada = await site.person()
    agent = await site.agent_of(ada)
    async with in_room(
        site.one, f"agent:{agent.id}", await site.key(ada, (Permission.AGENTS_READ,))
    ) as client:
        await client.say(type="message", data=1)
        assert (await client.hear())["code"] == "FORBIDDEN"
    async with in_room(site.one, "agents", await site.key(ada)) as client:
        await client.say(type="message", data=1)
        assert (await client.hear())["code"] == "FORBIDDEN"
        await client.say(type="message", room=f"agent:{agent.id}", data=1)
        assert (await client.hear())["code"] == "CONFLICT"


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "[]",
        "null",
        '{"type":"shout"}',
        '{"type":"join"}',
        '{"type":"join","room":7}',
        '{"type":"join","room":""}',
        '{"type":"ping","more":1}',
        '{"type":"ping","type":"join"}',
        '{"type":"message","data":NaN}',
        '{"type":"message","data":1e999}',
        '{"type":"message","data":"\\u0000"}',
        '{"type":"message","data":{"\\ud800":1}}',
        '{"type":"message","data":' + "[" * 2000 + "]" * 2000 + "}",
    ],
)
async def test_what_is_no_message_is_answered_and_does_no_harm(site: Site, text: str) -> None:
    ada = await site.person()
    room = f"agent:{(await site.agent_of(ada)).id}"
    async with in_room(site.one, room, await site.key(ada)) as client:
        await client.connection.send(text)
        answer = await client.hear()
        assert (answer["type"], answer["code"]) == ("error", "VALIDATION_ERROR")
        assert answer["message"]
        assert await client.rest() == []


async def test_message_that_is_too_large_ends_the_socket(site: Site) -> None:
    ada = await site.person()
    room = f"agent:{(await site.agent_of(ada)).id}"
    async with in_room(site.one, room, await site.key(ada)) as client:
        await client.say(type="message", data="x" * (MAX_MESSAGE_BYTES - 100))
        assert await client.rest() == []
        await client.say(type="message", data="x" * MAX_MESSAGE_BYTES)
        code, _ = await client.closing()
        assert code == 1009


async def test_binary_frames_end_the_socket(site: Site) -> None:
    async with in_room(site.one, "agents", await site.key(await site.person())) as client:
        await client.connection.send(b"\x00")
        code, _ = await client.closing()
        assert code == 1003


async def test_flood_of_messages_ends_the_socket(site: Site) -> None:
    async with in_room(site.one, "agents", await site.key(await site.person())) as client:
        for _ in range(BURST):
            await client.say(type="ping")
        for _ in range(BURST):
            assert await client.hear() == {"type": "pong"}
        for _ in range(BURST):
            await client.say(type="ping")
        code, reason = await client.closing()
        assert code == 1008
        assert "a second" in reason


async def test_socket_is_in_no_more_than_so_many_rooms(site: Site) -> None:
    ada = await site.person()
    agents = [await site.agent_of(ada) for _ in range(MAX_ROOMS)]
    async with in_room(site.one, "agents", await site.key(ada)) as client:
        answers = [await client.join(f"agent:{agent.id}") for agent in agents]
        assert [answer["type"] for answer in answers[:-1]] == ["joined"] * (MAX_ROOMS - 1)
        assert answers[-1]["code"] == "CONFLICT"


async def test_many_open_sockets_keep_no_connection_of_the_database(site: Site) -> None:
    """The processes have two; each socket here has asked the database more than once."""
    ada = await site.person()
    headers = await site.cookie(ada, site.two)
    async with AsyncExitStack() as opened:
        clients = [
            await opened.enter_async_context(in_room(site.two, "agents", headers))
            for _ in range(20)
        ]
        assert await site.create_agent(ada)
        for client in clients:
            assert (await client.hear_event("agents"))["event"] == "create"
