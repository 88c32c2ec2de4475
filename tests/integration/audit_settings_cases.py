"""One request for each route that changes settings of the installation."""

from typing import Any

from sqlalchemy import select

from app.models import InstanceSettings
from tests.integration.audit_requests import Case, to
from tests.integration.audit_world import World


async def reset(world: World) -> tuple[str, dict[str, Any]]:
    row = (await world.session.scalars(select(InstanceSettings))).one()
    row.overrides = {"invitation_days": 9}
    await world.session.flush()
    form = {"row_version": str(row.row_version), "key": "invitation_days"}
    return "/settings/reset", {"data": form}


SETTINGS_CASES: dict[str, Case] = {
    "POST /settings": to("/settings", data={"row_version": "1", "invitation_days": "9"}),
    "POST /settings/reset": reset,
}
