"""Reading a run: the step that is linked to, what is found in it, and how calls were made."""

import html
import re
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Role
from app.models import Execution, Feedback, User
from app.schemas.feedback import FeedbackCreate
from app.services.feedback import FeedbackService
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.executions import FAILED_TOOL_STEP, MODEL_STEP, ROOT, make_execution
from tests.factories.tools import make_tool
from tests.factories.users import make_user

TOOL_STEP = "00000000000000c1"


@pytest.fixture
async def run(session: AsyncSession, actor: Actor) -> Execution:
    schema = {
        "type": "object",
        "properties": {"bags": {"type": "integer"}, "cabin": {"enum": ["economy", "first"]}},
        "required": ["bags", "city"],
    }
    tool = await make_tool(session, actor, name="find_bag", parameters=schema)
    agent = await make_agent(session, actor, tool_ids=[tool.id])
    call = FAILED_TOOL_STEP | {
        "input": {"bags": "3", "cabin": "second", "city": "Rome"},
        "attributes": {"airline.desk": "Counter “12”\nleft"},
        "events": [{"name": "retry", "attributes": {"after": "1 s"}}],
    }
    return await make_execution(session, actor, agent, spans=[ROOT, MODEL_STEP, call])


async def page_of(web: httpx2.AsyncClient, run: Execution, query: str, **more: str) -> str:
    answer = await web.get(f"/executions/{run.id}{query}", headers=more)
    assert answer.status_code == 200
    return html.unescape(answer.text)


def rows_in(page: str) -> list[str]:
    return re.findall(r'id="span-([0-9a-f]{16})"', page)


async def test_call_is_told_with_each_field_that_breaks_the_schema_of_its_revision(
    web: httpx2.AsyncClient, run: Execution
) -> None:
    step = await page_of(web, run, f"?span={TOOL_STEP}")
    assert '<b>bags</b> must be an integer, got the string "3".' in step
    assert 'must be one of "economy", "first", got the string "second".' in step
    assert "Schema of find_bag in r1" in step
    # The model asked with no arguments at all.
    conversation = await page_of(web, run, "")
    assert "<b>city</b> is missing." in conversation
    assert "breaks its schema" in conversation


@pytest.mark.parametrize(
    ("view", "told"),
    [
        ("step", "retry"),
        ("attributes", "airline.desk"),
        ("raw", '"tool_name": "find_bag"'),
        ("conversation", "of-step"),
        ("nonsense", "Arguments"),
    ],
)
async def test_step_is_linked_to_in_each_of_its_views(
    web: httpx2.AsyncClient, run: Execution, view: str, told: str
) -> None:
    page = await page_of(web, run, f"?span={TOOL_STEP}&view={view}")
    assert told in page[page.index('id="side"') :]


@pytest.mark.parametrize(
    "words", ["gpt-4O", "counter “12”\nleft", "bag not found", "retry", TOOL_STEP]
)
async def test_words_are_found_in_names_bodies_and_attributes(
    web: httpx2.AsyncClient, run: Execution, words: str
) -> None:
    answer = await web.get(f"/executions/{run.id}", params={"find": words})
    assert "1 step holds" in answer.text
    assert rows_in(answer.text)[0] == ROOT["span_id"], "the steps above lead to it"
    assert len(rows_in(answer.text)) == 2


async def test_errors_alone_are_shown_and_what_is_not_found_is_said(
    web: httpx2.AsyncClient, run: Execution
) -> None:
    page = await page_of(web, run, "?only=errors")
    assert rows_in(page) == [ROOT["span_id"], TOOL_STEP]
    assert "1 step with an error" in page
    assert "No step holds that" in await page_of(web, run, "?find=100%25_zebra")


async def test_part_of_the_page_is_fetched_alone(web: httpx2.AsyncClient, run: Execution) -> None:
    htmx = {"HX-Request": "true", "HX-Request-Type": "partial"}
    side = await page_of(web, run, f"?span={TOOL_STEP}", **htmx, **{"HX-Target": "div#side"})
    assert side.lstrip().startswith('<div id="side"')
    trace = await page_of(web, run, "?find=chat", **htmx, **{"HX-Target": "section#trace-panel"})
    assert trace.lstrip().startswith("<section")
    assert 'id="side"' not in trace


async def test_what_turns_or_hides_letters_is_named(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    said: Any = {"role": "user", "content": "Send \u202e001\u202c euro\u200b"}
    agent = await make_agent(session, actor)
    run = await make_execution(session, actor, agent, spans=[MODEL_STEP | {"input": [said]}])
    page = await page_of(web, run, "")
    assert 'title="right-to-left override">U+202E</span>001' in page
    assert "\u202e" not in page[page.index('id="side"') :]


async def test_model_call_is_there_as_a_command_without_a_key(
    web: httpx2.AsyncClient, run: Execution
) -> None:
    page = await page_of(web, run, f"?span={MODEL_STEP['span_id']}&view=raw")
    assert '-H "Authorization: Bearer $OPENAI_API_KEY"' in page
    assert '"content": "Where is my bag?"' in page
    assert '"name": "find_bag"' in page


async def test_feedback_is_given_changed_and_taken_back_beside_the_trace(
    web: httpx2.AsyncClient, run: Execution, staff: User, session: AsyncSession
) -> None:
    htmx = {"HX-Request": "true", "HX-Request-Type": "partial"}
    url, said = f"/executions/{run.id}/feedback", {"name": "rating", "value": "1"}
    given = await web.post(url, data=said | {"comment": "Kind & quick."}, headers=htmx)
    assert given.text.lstrip().startswith("<section")
    assert all(told in given.text for told in ("good", "Kind &amp; quick.", staff.full_name))
    (row,) = await session.scalars(select(Feedback))
    assert f'name="seen" value="{row.fingerprint}"' in given.text
    change = said | {"value": "0", "seen": row.fingerprint}
    changed = await web.post(f"{url}/{row.id}", data=change, headers=htmx)
    assert "bad" in changed.text
    assert "Kind" not in changed.text
    late = await web.post(f"{url}/{row.id}", data=change | {"value": "1"}, headers=htmx)
    assert late.status_code == 412
    gone = await web.post(f"{url}/{row.id}/delete", headers=htmx)
    assert "feedback-list" not in gone.text


async def test_feedback_of_others_stays_as_they_gave_it(
    web: httpx2.AsyncClient, run: Execution, session: AsyncSession
) -> None:
    other = actor_for(await make_user(session, Role.STAFF))
    data = FeedbackCreate(name="rating", value=Decimal(1))
    row = await FeedbackService(session, other).give(run, data)
    for path in ("", "/delete"):
        answer = await web.post(
            f"/executions/{run.id}/feedback/{row.id}{path}", data={"name": "a", "value": "0"}
        )
        assert answer.status_code == 403
    assert f"feedback/{row.id}/delete" not in await page_of(web, run, "")


async def test_very_long_messages_are_cut_and_lead_to_all_of_them(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    asked = {"role": "user", "content": "word " * 20_000}
    told = [{"role": "user", "content": f"Message {n}"} for n in range(300)]
    spans = [MODEL_STEP | {"input": [asked]}]
    spans.append(MODEL_STEP | {"span_id": "00000000000000b2", "input": told, "output": "Yes."})
    run = await make_execution(session, actor, agent, spans=spans)
    page = (await web.get(f"/executions/{run.id}")).text
    assert "80,000 characters more" in page
    assert len(page) < 100_000
    raw = await web.get(f"/executions/{run.id}?span=00000000000000b1&view=raw")
    assert raw.text.count("word ") > 20_000
    step = (await web.get(f"/executions/{run.id}?span=00000000000000b2")).text
    assert "288 earlier messages" in step
    assert "188 messages before these are in the raw data" in step


async def test_instructions_that_only_the_run_was_given_come_first(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    given = {"prompt": "Where is my bag?", "system": "Be kind to them."}
    run = await make_execution(session, actor, agent, input=given)
    page = (await web.get(f"/executions/{run.id}")).text
    assert 0 < page.index("Be kind to them.") < page.index("Where is my bag?")
    assert "Input of the run" not in page


async def test_markdown_of_models_is_formatted_and_shown_as_written_on_request(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    asked = {"role": "user", "content": "Is **it** there?"}
    said = {"role": "assistant", "content": "In **Rome**. <b>Look</b>"}
    run = await make_execution(
        session, actor, agent, spans=[MODEL_STEP | {"input": [asked], "output": said}]
    )
    for address in ("", "?span=00000000000000b1"):
        page = (await web.get(f"/executions/{run.id}{address}")).text
        assert "<strong>Rome</strong>. &lt;b&gt;Look" in page
        assert "Is **it** there?" in page, "people are quoted as they typed"
        switch = re.search(r'id="words" data-part="#side" href="([^"]+)"', page)
        assert switch
        written = (await web.get(html.unescape(switch[1]))).text
        assert "In **Rome**." in written


async def test_markdown_that_only_the_run_itself_told_is_formatted(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    said = {"messages": [{"role": "assistant", "content": "In **Rome**."}]}
    run = await make_execution(session, actor, await make_agent(session, actor), output=said)
    assert "<strong>Rome</strong>" in (await web.get(f"/executions/{run.id}")).text
