"""API keys: read and revoked here. They are made where their secret can be shown once."""

from typing import Any, ClassVar

from sqladmin import action
from sqlalchemy import ColumnElement
from starlette.requests import Request
from starlette.responses import Response

from app.admin.actions import back_to_list, change_selected
from app.admin.base import Names, ServiceView
from app.admin.filters import Filter
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import Agent, ApiKey, User
from app.services.api_keys import ApiKeyService


class ApiKeyView(ServiceView, model=ApiKey):
    name, name_plural, icon = lazy("API key"), lazy("API keys"), "key"
    about = lazy("Keys of machine clients: your own, or everyone's for who manages them.")
    service = ApiKeyService
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.KEYS_READ,
        "details": Permission.KEYS_READ,
        "export": Permission.KEYS_READ,
        "action:revoke": Permission.KEYS_WRITE,
    }
    columns = (
        "id",
        "name",
        "prefix",
        "user_id",
        "agent_id",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    more_columns = (
        "scopes",
        "allowed_cidrs",
        "replaced_by_id",
        "last_used_ip",
        "created_at",
        "updated_at",
        "row_version",
    )
    labels: ClassVar[dict[str, str]] = {
        "user_id": lazy("Owner"),
        "last_used_ip": lazy("Last used from"),
        "allowed_cidrs": lazy("Only from"),
        "replaced_by_id": lazy("Replaced by"),
    }
    names: ClassVar[dict[str, Names]] = {
        "user_id": Names(User.email, Permission.USERS_READ),
        "agent_id": Names(Agent.name, Permission.AGENTS_READ),
        "replaced_by_id": Names(ApiKey.name, Permission.KEYS_READ),
    }
    page_path = "/keys"
    list_filters = (Filter("user_id", lazy("Owner id")),)
    search_hint = lazy("The first characters of a key, gr_…")

    def search_rule(self, term: str) -> ColumnElement[bool]:
        return ApiKey.prefix == term

    @action(name="revoke", label="Revoke", confirmation_message="A revoked key stays revoked.")
    async def revoke(self, request: Request) -> Response:
        async def change(keys: Any, key_id: int) -> None:  # the view's service
            await keys.revoke(key_id)

        await change_selected(self, request, change)
        return back_to_list(self, "revoked")
