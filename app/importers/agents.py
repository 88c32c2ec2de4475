"""The agent that runs are reported for: made with its tools where missing, otherwise left alone."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.importers.client import ApiError, Greenroom, Json
from app.importers.survey import Survey, Tool, key_of

DEFAULT_MAX_TOKENS, MOST_MAX_TOKENS = 1000, 100_000
# How often someone else may save the agent in between before we give up.
TRIES = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """The agent to report for, and whether to make it when it is missing."""

    name: str
    model: str | None
    create: bool


def ensure_agent(
    api: Greenroom, wanted: Wanted, survey: Survey, notify: Callable[[str], None]
) -> int:
    """The agent's id. Raise ``ApiError`` when it is missing and may not or cannot be made."""
    agent = find_agent(api, wanted.name)
    if agent is None and not wanted.create:
        raise ApiError(f"There is no agent called {wanted.name}. Leave out --no-create-agent.")
    tool_ids = ensure_tools(api, survey.tools(), agent, notify)
    if agent is None:
        agent = make_agent(api, agent_body(wanted, survey) | {"tool_ids": sorted(tool_ids)})
        notify(f"Made the agent {agent['name']} with {len(agent['tools'])} tools.")
    attach(api, agent, tool_ids, notify)
    return int(agent["id"])


def find_agent(api: Greenroom, name: str) -> Json | None:
    agents = api.find_agents(name)
    if len(agents) > 1:
        ids = ", ".join(str(agent["id"]) for agent in agents)
        raise ApiError(
            f"Several agents are called {name} (ids {ids}). Use a key limited to one of them."
        )
    return agents[0] if agents else None


def agent_body(wanted: Wanted, survey: Survey) -> Json:
    """A prompt may have as many characters as ``max_tokens``, so that follows from it."""
    prompt = survey.system_prompt or ""
    return {
        "name": wanted.name,
        "model": wanted.model or survey.model or "unknown",
        "system_prompt": prompt,
        "max_tokens": min(max(DEFAULT_MAX_TOKENS, len(prompt)), MOST_MAX_TOKENS),
    }


def make_agent(api: Greenroom, body: Json) -> Json:
    """A request repeated after its answer was lost finds the agent that it made."""
    try:
        return api.create_agent(body)
    except ApiError as error:
        agent = find_agent(api, body["name"]) if error.status == 409 else None
        if agent is None:
            raise
        return agent


def attach(api: Greenroom, agent: Json, tool_ids: set[int], notify: Callable[[str], None]) -> None:
    """Give the agent the tools it lacks, without taking any that it has."""
    for _ in range(TRIES):
        present = {int(tool["id"]) for tool in agent["tools"]}
        if tool_ids <= present:
            return
        try:
            agent = api.set_tools(agent, sorted(tool_ids | present))
        except ApiError as error:
            if error.status != 412:
                raise
            agent = api.get_agent(agent["id"])
        else:
            notify(f"Gave {agent['name']} {len(tool_ids - present)} more tools.")
    raise ApiError(f"{agent['name']} is being changed by someone else. Try again.")


def ensure_tools(
    api: Greenroom,
    tools: Iterable[Tool],
    agent: Json | None,
    notify: Callable[[str], None],
) -> set[int]:
    """The ids of the tools, made where missing; one that cannot be made is named and left out."""
    attached = {} if agent is None else {tool["name"]: int(tool["id"]) for tool in agent["tools"]}
    tool_ids = set()
    for tool in tools:
        try:
            name = key_of(tool["name"])
            tool_ids.add(attached.get(name) or ensure_tool(api, tool, agent))
        except ApiError as error:
            if error.status != 422:
                raise
            notify(f"The tool {tool['name']} is left out: {error}")
    return tool_ids


def ensure_tool(api: Greenroom, tool: Tool, agent: Json | None) -> int:
    """The id of a tool of that name, the agent's owner's first."""
    known = known_tool(api, tool, agent)
    if known is not None:
        return known
    try:
        return int(api.create_tool(tool)["id"])
    except ApiError as error:
        known = known_tool(api, tool, agent) if error.status == 409 else None
        if known is None:
            raise
        return known


def known_tool(api: Greenroom, tool: Tool, agent: Json | None) -> int | None:
    found = api.find_tools(key_of(tool["name"]))
    owner = None if agent is None else agent["user_id"]
    own = [known for known in found if known["user_id"] == owner]
    return min((int(known["id"]) for known in own or found), default=None)
