"""Files to import, previewed as the page does it."""

import json
from typing import Any

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.models import Import
from app.services.imports import ImportService

SETTINGS = Settings(_env_file=None, secret_key=SecretStr("for-factories-0123456789abcdefghij"))
ROW = {"name": "imported-bot", "model": "gpt-4o"}


async def make_import(
    session: AsyncSession, actor: Actor, *rows: dict[str, Any], resource: str = "agents"
) -> Import:
    data = "\n".join(json.dumps(row) for row in rows or (ROW,)).encode()
    return await ImportService(session, actor, SETTINGS).preview(resource, "rows.jsonl", data)
