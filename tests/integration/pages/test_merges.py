"""Saving over somebody else's change: field by field, long texts line by line."""

from typing import Any

import httpx2
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from tests.factories.agents import make_agent
from tests.factories.tools import make_tool


def form_in(page: str) -> dict[str, Any]:
    """What a browser would send, with the choices that are made on the page."""
    form = LexborHTMLParser(page).css_first("form[action$='/merge']")
    assert form is not None
    fields: dict[str, Any] = {}
    for field in form.css("input, textarea"):
        name, kind = field.attributes.get("name"), field.attributes.get("type")
        if not name or (kind == "radio" and "checked" not in field.attributes):
            continue
        value = field.text() if field.tag == "textarea" else field.attributes.get("value") or ""
        fields[name] = value.removeprefix("\n")
    return fields


async def test_prompt_that_both_changed_is_merged_line_by_line(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    prompt = "Be kind.\nBe brief.\nSay please.\nAnswer in English."
    agent = await make_agent(session, actor, system_prompt=prompt)
    path = f"/agents/{agent.id}"
    sent = {"name": agent.name, "model_name": agent.model_name, "max_tokens": "1000"}
    sent |= {"config": "{}", "row_version": str(agent.row_version)}
    theirs = prompt.replace("kind", "very kind").replace("please", "thanks")
    assert (
        await web.post(f"{path}/edit", data=sent | {"system_prompt": theirs})
    ).status_code == 303
    yours = prompt.replace("please", "nothing").replace("English", "French")
    conflict = await web.post(f"{path}/edit", data=sent | {"system_prompt": yours})
    assert conflict.status_code == 409
    assert "1 place is to be chosen" in conflict.text
    fields = form_in(conflict.text)
    chosen = next(name for name in fields if name.startswith("part.system_prompt."))
    saved = await web.post(f"{path}/merge", data=fields | {chosen: "both"})
    assert saved.status_code == 303
    merged = (await web.get(f"/api/v1/agents/{agent.id}")).json()["system_prompt"]
    assert merged == "Be very kind.\nBe brief.\nSay thanks.\nSay nothing.\nAnswer in French."


async def test_tool_that_was_saved_in_between_is_merged_field_by_field(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    tool = await make_tool(session, actor, name="find_bag")
    path = f"/tools/{tool.id}"
    schema = (
        '{\n  "type": "object",\n  "properties": {\n    "tag": {\n      "type": "%s"\n    }\n  }\n}'
    )
    sent = {"name": "find_bag", "kind": "function", "is_active": "true", "row_version": "1"}
    theirs = {"description": "Theirs.", "parameters": schema % "string"}
    assert (await web.post(f"{path}/edit", data=sent | theirs)).status_code == 303
    mine = {"description": "", "parameters": schema % "integer", "kind": "http"}
    mine |= {"endpoint_url": "https://bags.example.com/{tag}", "endpoint_method": "GET"}
    conflict = await web.post(f"{path}/edit", data=sent | mine | {"headers": "X-Key: secret"})
    assert conflict.status_code == 409
    assert "GET https://bags.example.com/{tag}" in conflict.text
    assert "headers that you entered are secret" in conflict.text
    assert "X-Key" not in conflict.text
    fields = form_in(conflict.text) | {"take.description": "theirs", "take.parameters": "yours"}
    assert (await web.post(f"{path}/merge", data=fields)).status_code == 303
    merged = (await web.get(f"/api/v1{path}")).json()
    assert (merged["description"], merged["kind"]) == ("Theirs.", "http")
    assert merged["parameters"]["properties"]["tag"]["type"] == "integer"
    assert merged["endpoint"] == {"url": "https://bags.example.com/{tag}", "method": "GET"}
