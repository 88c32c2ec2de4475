"""One request for each writing route, with the rows that it needs."""

from decimal import Decimal
from typing import Any

import pyotp

from app.core.security import LOGIN_STEP_SALT, Signer
from app.models import Feedback, JobStatus, TokenPurpose, User
from app.services.logins import LoginService
from app.services.refresh_tokens import RefreshTokenService
from app.services.second_factors import SecondFactorService
from app.services.user_tokens import UserTokenService
from tests.factories.model_prices import PRICE
from tests.factories.users import PASSWORD, give_second_factor, make_user
from tests.integration.audit_bulk_cases import BULK_CASES
from tests.integration.audit_data_cases import DATA_CASES
from tests.integration.audit_import_cases import IMPORT_CASES
from tests.integration.audit_requests import API, Case, at, to
from tests.integration.audit_settings_cases import SETTINGS_CASES
from tests.integration.audit_views import VIEW_API_CASES, VIEW_PAGE_CASES
from tests.integration.audit_world import World
from tests.otlp.logs import logs_json, make_log
from tests.otlp.requests import as_json, make_span

NEW_PASSWORD = "Better-Horse-8"


AGENT_FORM = {
    "name": "formed",
    "model_name": "m",
    "system_prompt": "",
    "max_tokens": "1000",
    "config": "{}",
    "is_active": "true",
}
MERGE_TOOL_FORM = {
    "row_version": "1",
    "kept.name": "merged",
    "kept.kind": "function",
    "kept.parameters": "{}",
}
TOOL_FORM = {"name": "formed", "kind": "function", "parameters": "{}", "is_active": "true"}
MERGE_FORM = {f"kept.{name}": value for name, value in AGENT_FORM.items()} | {"row_version": "1"}
PRICE_FORM = {"model_pattern": "m", "input_price": "1", "output_price": "2"}
HOOK = {"url": "https://hooks.example.com/x", "events": ["job.failed"]}
SINCE = "2026-11-01T00:00:00Z"
RATING = {"name": "rating", "value": "0"}
SEEN = Feedback(name="rating", value=Decimal(1)).fingerprint
KEY = {"name": "ci", "scopes": ["agents:read"]}
PASSWORDS = {
    "current_password": PASSWORD,
    "password": NEW_PASSWORD,
    "confirm_password": NEW_PASSWORD,
}


async def log_in_again(world: World) -> tuple[str, dict[str, Any]]:
    return "/login", {"data": {"email": world.user.email, "password": PASSWORD}}


async def report(world: World) -> tuple[str, dict[str, Any]]:
    return f"{API}/executions", {"json": await world.report()}


async def report_batch(world: World) -> tuple[str, dict[str, Any]]:
    return f"{API}/executions/batch", {"json": {"items": [await world.report()]}}


async def give_tool(world: World) -> tuple[str, dict[str, Any]]:
    return f"{API}/agents/{await world.agent()}/tools/{await world.tool()}", {}


async def take_tool(world: World) -> tuple[str, dict[str, Any]]:
    tool_id = await world.tool()
    return f"{API}/agents/{await world.agent(tool_ids=[tool_id])}/tools/{tool_id}", {}


def bulk(path: str, row: str, **item: Any) -> Case:
    """A request to change a row that the world makes, as the only one of many."""

    async def case(world: World) -> tuple[str, dict[str, Any]]:
        row_id = await getattr(world, row)()
        return f"{API}/{path}", {"json": {"items": [{"id": row_id, **item}]}}

    return case


async def log_in_with_code(world: World) -> tuple[str, dict[str, Any]]:
    logins = LoginService(world.session, world.actor, world.settings)
    secret = await give_second_factor(world.session, world.user, world.settings)
    step = Signer(world.settings.signing_keys(), LOGIN_STEP_SALT).sign(logins.step_of(world.user))
    return "/login/code", {"data": {"step": step, "code": pyotp.TOTP(secret).now()}}


async def confirm_factor(world: World) -> tuple[str, dict[str, Any]]:
    factors = SecondFactorService(world.session, world.actor, world.settings)
    secret = (await factors.begin()).secret
    return "/account/second-factor/confirm", {"data": {"code": pyotp.TOTP(secret).now()}}


def with_factor(path: str) -> Case:
    async def case(world: World) -> tuple[str, dict[str, Any]]:
        await give_second_factor(world.session, world.user, world.settings)
        return path, {}

    return case


async def other_person(world: World) -> User:
    user = await make_user(world.session)
    await give_second_factor(world.session, user, world.settings)
    return user


def person(path: str, **options: Any) -> Case:
    """A request about someone else."""

    async def case(world: World) -> tuple[str, dict[str, Any]]:
        return path.format((await other_person(world)).id), options

    return case


async def edit_person(world: World) -> tuple[str, dict[str, Any]]:
    user = await other_person(world)
    form = {"email": user.email, "full_name": "Other Name", "role": "staff", "is_active": "true"}
    return f"/users/{user.id}/edit", {"data": form | {"row_version": str(user.row_version)}}


async def trashed_person(world: World) -> tuple[str, dict[str, Any]]:
    user = await other_person(world)
    user.deleted_at = user.created_at
    await world.session.flush()
    return f"{API}/users/{user.id}/restore", {}


async def restore_person(world: World) -> tuple[str, dict[str, Any]]:
    path, options = await trashed_person(world)
    return path.removeprefix(API), options


async def enable_person(world: World) -> tuple[str, dict[str, Any]]:
    user = await make_user(world.session, active=False)
    return f"/users/{user.id}/enable", {}


async def forget(world: World) -> tuple[str, dict[str, Any]]:
    return "/password/forgot", {"data": {"email": world.user.email}}


async def set_password(world: World) -> tuple[str, dict[str, Any]]:
    tokens = UserTokenService(world.session, world.actor, world.settings)
    token = await tokens.issue(world.user, TokenPurpose.PASSWORD_RESET)
    fields = {"password": NEW_PASSWORD, "confirm_password": NEW_PASSWORD}
    return "/password/set", {"data": fields | {"token": token}}


async def log_in_at_api(world: World) -> tuple[str, dict[str, Any]]:
    return f"{API}/auth/login", {"json": {"email": world.user.email, "password": PASSWORD}}


async def log_out_at_api(world: World) -> tuple[str, dict[str, Any]]:
    tokens = RefreshTokenService(world.session, world.actor, world.settings)
    pair = await tokens.open(world.user, None)
    return f"{API}/auth/logout", {"json": {"refresh_token": pair.refresh_token}}


async def forget_at_api(world: World) -> tuple[str, dict[str, Any]]:
    return f"{API}/auth/password/forgot", {"json": {"email": world.user.email}}


async def reset_at_api(world: World) -> tuple[str, dict[str, Any]]:
    _, options = await set_password(world)
    return f"{API}/auth/password/reset", {"json": options["data"]}


DELIVERY = "/webhooks/{webhook_id}/deliveries/{delivery_id}"


async def run_agent(world: World) -> tuple[str, dict[str, Any]]:
    world.with_provider()
    return f"{API}/agents/{await world.agent()}/run", {"json": {"input": "Hi"}}


async def hand_in_results(world: World) -> tuple[str, dict[str, Any]]:
    results = [{"tool_call_id": "call_1", "content": "found"}]
    path = f"{API}/executions/{(await world.waiting()).id}/tool-results"
    return path, {"json": {"results": results}}


async def try_out(world: World) -> tuple[str, dict[str, Any]]:
    world.with_provider()
    form = {"role": "user", "content": "Hi", "left.base": "1", "left.model_name": "gpt-4o"}
    more = {"left.max_tokens": "1000", "left.system_prompt": "Be kind.", "left.params": "{}"}
    return f"/agents/{await world.agent()}/playground", {"data": form | more}


async def answer_on_playground(world: World) -> tuple[str, dict[str, Any]]:
    run = await world.waiting()
    path = f"/agents/{run.agent_id}/playground/runs/{run.id}"
    return path, {"data": {"result.call_1": "found"}}


REVISION = "/agents/{agent_id}/revisions/{number}/restore"
API_CASES: dict[str, Case] = {
    "POST /auth/login": log_in_at_api,
    "POST /auth/logout": log_out_at_api,
    "POST /auth/password/forgot": forget_at_api,
    "POST /auth/password/reset": reset_at_api,
    "POST /auth/password/change": to(f"{API}/auth/password/change", json=PASSWORDS),
    "POST /agents": to(f"{API}/agents", json={"name": "new", "model": "m"}),
    "PATCH /agents/{agent_id}": at(f"{API}/agents/{{}}", "agent", json={"description": "new"}),
    "DELETE /agents/{agent_id}": at(f"{API}/agents/{{}}", "agent"),
    "POST /agents/{agent_id}/restore": at(f"{API}/agents/{{}}/restore", "trashed", "agents"),
    "PUT /agents/{agent_id}/tools/{tool_id}": give_tool,
    "DELETE /agents/{agent_id}/tools/{tool_id}": take_tool,
    f"POST {REVISION}": at(f"{API}/agents/{{}}/revisions/1/restore", "with_old_revision"),
    "POST /agents/batch": to(
        f"{API}/agents/batch", json={"items": [{"name": "new", "model": "m"}]}
    ),
    "PATCH /agents/batch": bulk("agents/batch", "agent", changes={"description": "new"}),
    "POST /agents/batch/delete": bulk("agents/batch/delete", "agent"),
    "POST /tools/batch": to(f"{API}/tools/batch", json={"items": [{"name": "new"}]}),
    "PATCH /tools/batch": bulk("tools/batch", "tool", changes={"description": "new"}),
    "POST /tools/batch/delete": bulk("tools/batch/delete", "tool"),
    "POST /agents/{agent_id}/analyze": at(f"{API}/agents/{{}}/analyze", "agent", json={}),
    "POST /jobs/{job_id}/cancel": at(f"{API}/jobs/{{}}/cancel", "job"),
    "POST /jobs/{job_id}/retry": at(f"{API}/jobs/{{}}/retry", "job", JobStatus.FAILED),
    "PATCH /executions/batch": bulk("executions/batch", "run", changes={"status": "failed"}),
    "POST /executions/batch/delete": bulk("executions/batch/delete", "run"),
    "POST /ingest-batches/{batch_id}/replay": at(f"{API}/ingest-batches/{{}}/replay", "batch"),
    "POST /tools": to(f"{API}/tools", json={"name": "new"}),
    "PATCH /tools/{tool_id}": at(f"{API}/tools/{{}}", "tool", json={"description": "new"}),
    "DELETE /tools/{tool_id}": at(f"{API}/tools/{{}}", "tool"),
    "POST /tools/{tool_id}/restore": at(f"{API}/tools/{{}}/restore", "trashed", "tools"),
    "POST /executions": report,
    "POST /executions/batch": report_batch,
    "PATCH /executions/{execution_id}": at(
        f"{API}/executions/{{}}", "run", json={"status": "failed"}
    ),
    "POST /executions/{execution_id}/cancel": at(f"{API}/executions/{{}}/cancel", "open_run"),
    "POST /executions/{execution_id}/tool-results": hand_in_results,
    "POST /agents/{agent_id}/run": run_agent,
    "PUT /tools/{tool_id}/headers": at(
        f"{API}/tools/{{}}/headers", "http_tool", json={"headers": {"X-Key": "k"}}
    ),
    "POST /executions/{execution_id}/feedback": at(
        f"{API}/executions/{{}}/feedback", "run", json={"name": "rating", "value": 1}
    ),
    "DELETE /executions/{execution_id}": at(f"{API}/executions/{{}}", "run"),
    "POST /executions/{execution_id}/restore": at(
        f"{API}/executions/{{}}/restore", "trashed", "executions"
    ),
    "POST /api-keys": to(f"{API}/api-keys", json=KEY),
    "POST /users": to(f"{API}/users", json={"email": "n@example.com", "full_name": "N"}),
    "PATCH /users/{user_id}": person(f"{API}/users/{{}}", json={"full_name": "Other Name"}),
    "DELETE /users/{user_id}": person(f"{API}/users/{{}}"),
    "POST /users/{user_id}/restore": trashed_person,
    "POST /users/{user_id}/password-link": person(f"{API}/users/{{}}/password-link"),
    **{
        f"POST /{path}/{{{kind}_id}}/{verb}": at(f"{API}/{path}/{{}}/{verb}", *row, json={})
        for path, kind in (("agents", "agent"), ("tools", "tool"), ("api-keys", "key"))
        for verb, row in (("pause", (kind,)), ("resume", ("paused", kind)))
    },
    "POST /model-prices": to(f"{API}/model-prices", json=PRICE),
    "POST /model-prices/costs/recompute": to(
        f"{API}/model-prices/costs/recompute", json={"since": SINCE}
    ),
    "PATCH /model-prices/{price_id}": at(
        f"{API}/model-prices/{{}}", "price", json={"input_price": 5}
    ),
    "DELETE /model-prices/{price_id}": at(f"{API}/model-prices/{{}}", "price"),
    "POST /model-prices/{price_id}/restore": at(
        f"{API}/model-prices/{{}}/restore", "trashed_price"
    ),
    "POST /webhooks": to(f"{API}/webhooks", json=HOOK),
    "PATCH /webhooks/{webhook_id}": at(f"{API}/webhooks/{{}}", "hook", json={"description": "x"}),
    "DELETE /webhooks/{webhook_id}": at(f"{API}/webhooks/{{}}", "hook"),
    "POST /webhooks/{webhook_id}/restore": at(f"{API}/webhooks/{{}}/restore", "trashed_hook"),
    "POST /webhooks/{webhook_id}/rotate": at(f"{API}/webhooks/{{}}/rotate", "hook"),
    "POST /webhooks/{webhook_id}/test": at(f"{API}/webhooks/{{}}/test", "hook"),
    f"POST {DELIVERY}/redeliver": at(f"{API}/webhooks/{{}}/redeliver", "delivery"),
    "POST /api-keys/{key_id}/rotate": at(f"{API}/api-keys/{{}}/rotate", "key"),
    "PATCH /api-keys/{key_id}": at(f"{API}/api-keys/{{}}", "key", json={"name": "new"}),
    "DELETE /api-keys/{key_id}": at(f"{API}/api-keys/{{}}", "key"),
}
PAGE_CASES: dict[str, Case] = {
    "POST /login": log_in_again,
    "POST /login/code": log_in_with_code,
    "POST /logout": to("/logout"),
    "POST /reauthenticate": to("/reauthenticate", data={"reauthentication_password": PASSWORD}),
    "POST /password/forgot": forget,
    "POST /password/set": set_password,
    "POST /account/second-factor/begin": to("/account/second-factor/begin"),
    "POST /account/second-factor/confirm": confirm_factor,
    "POST /account/second-factor/codes": with_factor("/account/second-factor/codes"),
    "POST /account/second-factor/remove": with_factor("/account/second-factor/remove"),
    "POST /account/password": to("/account/password", data=PASSWORDS),
    "POST /account/language": to("/account/language", data={"language": "en"}),
    "POST /account/time-zone": to("/account/time-zone", data={"time_zone": "Asia/Kolkata"}),
    "POST /account/sessions/{session_id}/end": at("/account/sessions/{}/end", "own_session"),
    "POST /agents/new": to("/agents/new", data=AGENT_FORM),
    "POST /agents/{agent_id}/edit": at(
        "/agents/{}/edit", "agent", data=AGENT_FORM | {"row_version": "1"}
    ),
    "POST /agents/{agent_id}/merge": at("/agents/{}/merge", "agent", data=MERGE_FORM),
    "POST /agents/{agent_id}/delete": at("/agents/{}/delete", "agent"),
    **{
        f"POST /{path}/{{{kind}_id}}/{verb}": at(
            f"/{path}/{{}}/{verb}", *row, data={"version": "1", "reason": "To see."}
        )
        for path, kind in (("agents", "agent"), ("tools", "tool"), ("keys", "key"))
        for verb, row in (("pause", (kind,)), ("resume", ("paused", kind)))
    },
    f"POST {REVISION}": at(
        "/agents/{}/revisions/1/restore", "with_old_revision", data={"version": "2"}
    ),
    "POST /tools/new": to("/tools/new", data=TOOL_FORM),
    "POST /tools/{tool_id}/merge": at("/tools/{}/merge", "tool", data=MERGE_TOOL_FORM),
    "POST /tools/{tool_id}/edit": at(
        "/tools/{}/edit", "tool", data=TOOL_FORM | {"row_version": "1"}
    ),
    "POST /tools/{tool_id}/delete": at("/tools/{}/delete", "tool"),
    "POST /agents/{agent_id}/analyses": at("/agents/{}/analyses", "agent", data={"limit": "100"}),
    "POST /jobs/{job_id}/cancel": at("/jobs/{}/cancel", "job"),
    "POST /jobs/{job_id}/retry": at("/jobs/{}/retry", "job", JobStatus.FAILED),
    "POST /executions/{execution_id}/cancel": at("/executions/{}/cancel", "open_run"),
    "POST /agents/{agent_id}/playground": try_out,
    "POST /agents/{agent_id}/playground/runs/{execution_id}": answer_on_playground,
    "POST /executions/{execution_id}/delete": at("/executions/{}/delete", "run"),
    "POST /executions/{execution_id}/feedback/{feedback_id}": at(
        "/executions/{}", "feedback", data=RATING | {"seen": SEEN}
    ),
    "POST /executions/{execution_id}/feedback/{feedback_id}/delete": at(
        "/executions/{}/delete", "feedback"
    ),
    "POST /executions/{execution_id}/feedback": at("/executions/{}/feedback", "run", data=RATING),
    "POST /ingest/{batch_id}/replay": at("/ingest/{}/replay", "batch"),
    "POST /connect": to("/connect", data={"name": "laptop"}),
    "POST /keys/new": to("/keys/new", data=KEY | {"days": "90"}),
    "POST /audit/export/{form}": to("/audit/export/csv?resource=agents"),
    "POST /keys/{key_id}/rename": at("/keys/{}/rename", "key", data={"name": "new"}),
    "POST /keys/{key_id}/rotate": at("/keys/{}/rotate", "key", data={"overlap_hours": "1"}),
    "POST /keys/{key_id}/revoke": at("/keys/{}/revoke", "key"),
    "POST /model-prices/new": to("/model-prices/new", data=PRICE_FORM),
    "POST /model-prices/recompute": to("/model-prices/recompute", data={"since": SINCE[:10]}),
    "POST /model-prices/{price_id}/edit": at(
        "/model-prices/{}/edit", "price", data=PRICE_FORM | {"row_version": "1"}
    ),
    "POST /model-prices/{price_id}/delete": at("/model-prices/{}/delete", "price"),
    "POST /model-prices/{price_id}/restore": at("/model-prices/{}/restore", "trashed_price"),
    "POST /webhooks/new": to("/webhooks/new", data=HOOK),
    "POST /webhooks/{webhook_id}/edit": at(
        "/webhooks/{}/edit", "hook", data=HOOK | {"row_version": "1"}
    ),
    "POST /webhooks/{webhook_id}/rotate": at("/webhooks/{}/rotate", "hook"),
    "POST /webhooks/{webhook_id}/disable": at("/webhooks/{}/disable", "hook"),
    "POST /webhooks/{webhook_id}/enable": at("/webhooks/{}/enable", "disabled_hook"),
    "POST /webhooks/{webhook_id}/delete": at("/webhooks/{}/delete", "hook"),
    "POST /webhooks/{webhook_id}/restore": at("/webhooks/{}/restore", "trashed_hook"),
    "POST /webhooks/{webhook_id}/test": at("/webhooks/{}/test", "hook"),
    f"POST {DELIVERY}/redeliver": at("/webhooks/{}/redeliver", "delivery"),
    "POST /users/invite": to("/users/invite", data={"email": "n@example.com", "full_name": "N"}),
    "POST /users/require-second-factor": to(
        "/users/require-second-factor", data={"row_version": "1", "required": "true"}
    ),
    "POST /users/{user_id}/edit": edit_person,
    "POST /users/{user_id}/link": person("/users/{}/link"),
    "POST /users/{user_id}/disable": person("/users/{}/disable"),
    "POST /users/{user_id}/enable": enable_person,
    "POST /users/{user_id}/restore": restore_person,
    "POST /users/{user_id}/end-sessions": person("/users/{}/end-sessions"),
    "POST /users/{user_id}/remove-second-factor": person("/users/{}/remove-second-factor"),
    "POST /users/{user_id}/delete": person("/users/{}/delete"),
    "POST /trash/{resource}/{row_id}/restore": at("/trash/agents/{}/restore", "trashed", "agents"),
}
# Whoever asks for a reset has not proved who they are.
BY_NOBODY = {"POST /password/forgot", f"POST {API}/auth/password/forgot"}
# A login that goes on is no event; its start, its end and misuse are. Metrics are not kept.
NO_EVENT = {f"POST {API}/auth/token/refresh", "POST /v1/metrics", "POST /tools/schema"}
OTLP_CASES: dict[str, Case] = {
    "POST /v1/traces": to("/v1/traces", json=as_json([make_span()])),
    "POST /v1/logs": to("/v1/logs", json=logs_json([make_log("gen_ai.choice")])),
}
CASES = (
    PAGE_CASES
    | VIEW_PAGE_CASES
    | OTLP_CASES
    | BULK_CASES
    | DATA_CASES
    | IMPORT_CASES
    | SETTINGS_CASES
    | {name.replace(" ", f" {API}", 1): case for name, case in (API_CASES | VIEW_API_CASES).items()}
)
