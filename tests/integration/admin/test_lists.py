"""Lists of the data admin: bounded, in a sure order, answered by indexes."""

import re

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin import VIEWS
from app.core.actor import Actor
from app.models import User
from tests.conftest import QueryCounter
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.executions import make_execution
from tests.factories.tools import make_tool
from tests.integration.admin.conftest import rows_of
from tests.integration.admin.stock import Stock

BAD_KEYS = ["x", "0x1", "-1", "1.0", "9" * 19, "9" * 400, "1%00", "%F0%9F%98%80", "1;2", "a/b/c"]


def next_href(html: str) -> str | None:
    links = re.findall(r'href="([^"]*)">Older', html)
    return links[0].replace("&amp;", "&") if links else None


@pytest.mark.parametrize("key", BAD_KEYS)
@pytest.mark.parametrize("identity", ["agents", "users", "spans", "audit_events"])
async def test_key_that_cannot_be_is_not_found(
    root: httpx2.AsyncClient, identity: str, key: str
) -> None:
    answer = await root.get(f"/admin/{identity}/details/{key}")

    assert answer.status_code == 404


async def test_stock_sqladmin_fails_on_a_key_that_cannot_be(stock: Stock) -> None:
    assert (await stock.client.get("/admin/note/details/xyz")).status_code == 500


async def test_pages_follow_one_another_without_repeating_or_skipping(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    names = {(await make_agent(session, owner)).name for _ in range(7)}
    # All were made at the same moment: only the key tells them apart.
    await session.execute(text("UPDATE agents SET created_at = '2026-01-01'"))
    seen: list[str] = []
    href: str | None = "/admin/agents/list?sort=-created_at&pageSize=3"
    while href:
        page = (await desk.get(href)).text
        seen += [row[2] for row in rows_of(page)]
        href = next_href(page)

    assert len(seen) == 7
    assert set(seen) == names


async def test_newer_leads_back(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    for _ in range(4):
        await make_agent(session, owner)
    first = (await desk.get("/admin/agents/list?pageSize=2")).text
    second = (await desk.get(next_href(first) or "")).text
    [newer] = re.findall(r'href="([^"]*)">‹ Newer', second)

    again = (await desk.get(newer.replace("&amp;", "&"))).text

    assert rows_of(again) == rows_of(first)


@pytest.mark.parametrize(
    "query",
    [
        "cursor=xyz",
        "cursor=%00",
        "cursor=WzAsMV0",
        f"cursor={'W' * 5000}",
        "sort=system_prompt",
        "sort=hashed_password",
        "sortBy=user_id&sort=asc",
        "pageSize=-1",
        "pageSize=many",
        "is_active=perhaps",
        "user_id=abc",
        f"user_id={'9' * 40}",
    ],
)
async def test_query_that_no_link_of_ours_has_is_refused(
    desk: httpx2.AsyncClient, query: str
) -> None:
    assert (await desk.get(f"/admin/agents/list?{query}")).status_code == 400


@pytest.mark.parametrize(
    "query", ["search=%00", "search=%27%3B--", "search=%25", "model_name=%00", "page=99999999999"]
)
async def test_odd_text_finds_nothing_and_breaks_nothing(
    desk: httpx2.AsyncClient, query: str
) -> None:
    assert (await desk.get(f"/admin/agents/list?{query}")).status_code == 200


async def test_pages_are_bounded(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor, counted: QueryCounter
) -> None:
    await make_agent(session, owner)

    with counted:
        await desk.get("/admin/agents/list?pageSize=1000000")

    limits = [s for s in counted.statements if "FROM agents" in s]
    assert limits
    assert all("LIMIT" in statement for statement in limits)


async def test_count_stops_at_a_thousand_and_does_not_sort(
    desk: httpx2.AsyncClient, session: AsyncSession, staff: User, counted: QueryCounter
) -> None:
    await session.execute(
        text(
            "INSERT INTO tools (user_id, name, kind, parameters) "
            "SELECT :owner, 'tool-' || n, 'function', '{}' FROM generate_series(1, 1200) n"
        ),
        {"owner": staff.id},
    )

    with counted:
        answer = await desk.get("/admin/tools/list")

    assert "1,000+ rows" in answer.text
    [count] = [s for s in counted.statements if "count(" in s.lower()]
    assert "LIMIT" in count
    assert "ORDER BY" not in count
    assert "parameters" not in count


async def test_stock_sqladmin_counts_every_row_with_all_columns_in_order(stock: Stock) -> None:
    stock.add(title="t")

    await stock.client.get("/admin/note/list")

    [count] = [s for s in stock.statements if "count(" in s.lower()]
    assert "notes.body" in count
    assert "ORDER BY" in count
    assert "LIMIT" not in count


@pytest.mark.parametrize("identity", ["agents", "tools", "executions"])
async def test_words_are_searched_by_the_text_index(
    desk: httpx2.AsyncClient,
    session: AsyncSession,
    owner: Actor,
    counted: QueryCounter,
    identity: str,
) -> None:
    await make_tool(session, owner, name="weather-tool")
    agent = await make_agent(session, owner, name="weather-bot")
    await make_execution(session, owner, agent, input="weather in Rome")
    await make_execution(session, owner, agent, input="something else", output="no")

    with counted:
        page = (await desk.get(f"/admin/{identity}/list?search=weath")).text

    assert len(rows_of(page)) == 1
    assert any("@@ to_tsquery" in statement for statement in counted.statements)
    assert not any("LIKE" in statement for statement in counted.statements)


async def test_stock_sqladmin_searches_by_like_on_both_sides(stock: Stock) -> None:
    stock.add(title="weather")

    await stock.client.get("/admin/note/list?search=eath")

    assert stock.sent(lambda statement: "LIKE" in statement)


async def test_people_are_found_by_words_and_keys_by_their_prefix(
    root: httpx2.AsyncClient, session: AsyncSession, superuser: User, counted: QueryCounter
) -> None:
    key, _ = await make_api_key(session, superuser)

    with counted:
        users = (await root.get(f"/admin/users/list?search={superuser.email.upper()}")).text
        keys = (await root.get(f"/admin/api_keys/list?search={key.prefix}")).text
        part = (await root.get("/admin/api_keys/list?search=gr_")).text

    assert (len(rows_of(users)), len(rows_of(keys)), len(rows_of(part))) == (1, 1, 0)
    assert not any("LIKE" in statement for statement in counted.statements)


async def test_tables_without_a_search_say_so(root: httpx2.AsyncClient) -> None:
    assert (await root.get("/admin/audit_events/list?search=a")).status_code == 400


def test_every_order_ends_with_the_key() -> None:
    for view in VIEWS:
        for sort in view.sorts:
            columns = view().order(sort).columns
            primary_key = {column.name for column in view.pk_columns}
            ordered = {column.key for column in columns}
            assert primary_key & ordered, (view, sort)
            assert primary_key <= ordered | {"started_at"}, (view, sort)


async def test_filters_narrow_the_list(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    await make_agent(session, owner, is_active=False, name="asleep")
    await make_agent(session, owner, name="awake")

    page = (await desk.get("/admin/agents/list?is_active=false")).text

    assert [row[2] for row in rows_of(page)] == ["asleep"]


@pytest.mark.parametrize("identity", ["agents", "executions", "spans", "api_keys", "audit_events"])
async def test_more_rows_need_no_more_queries(
    root: httpx2.AsyncClient,
    session: AsyncSession,
    owner: Actor,
    superuser: User,
    counted: QueryCounter,
    identity: str,
) -> None:
    async def add_rows(times: int) -> None:
        for _ in range(times):
            agent = await make_agent(session, owner)
            await make_execution(session, owner, agent)
            await make_api_key(session, superuser, agent=agent)

    await add_rows(1)
    with counted:
        await root.get(f"/admin/{identity}/list")
    few = counted.count
    await add_rows(5)
    counted.statements.clear()
    with counted:
        page = (await root.get(f"/admin/{identity}/list")).text

    assert len(rows_of(page)) >= 6
    assert counted.count == few
    assert few <= 8


async def test_related_names_are_shown(
    root: httpx2.AsyncClient, session: AsyncSession, owner: Actor, superuser: User
) -> None:
    agent = await make_agent(session, owner)
    run = await make_execution(session, owner, agent)

    agents = (await root.get("/admin/agents/list")).text
    runs = (await root.get("/admin/executions/list")).text
    spans = (await root.get(f"/admin/spans/list?execution_id={run.id}")).text

    assert superuser.email in agents
    assert agent.name in runs
    assert len(rows_of(spans)) == 3


async def test_html_in_a_row_is_text(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    agent = await make_agent(session, owner, description="<script>alert(1)</script>")

    page = (await desk.get(f"/admin/agents/details/{agent.id}")).text

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
