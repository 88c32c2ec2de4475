"""CSV exports: what is filtered, nothing that runs, nothing secret, and on the record."""

import csv
import io

import httpx2
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.exports import MAX_ROWS, guarded
from app.core.actor import Actor
from app.models import AuditEvent, User
from tests.conftest import QueryCounter
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.executions import make_execution
from tests.integration.admin.stock import Stock


def table(answer: httpx2.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_starts_like_a_formula_is_disarmed(start: str) -> None:
    assert guarded(f"{start}cmd|'/c calc'!A1") == f"'{start}cmd|'/c calc'!A1"


@pytest.mark.parametrize(("value", "shown"), [("plain", "plain"), (-5, "-5"), (None, "")])
def test_other_values_stay_as_they_are(value: object, shown: str) -> None:
    assert guarded(value) == shown


async def test_formula_of_a_row_is_disarmed(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    agent = await make_agent(session, owner)
    await make_execution(session, owner, agent, input="=HYPERLINK(1)")

    [row] = table(await desk.get("/admin/executions/export/csv"))

    assert row["preview"] == "'=HYPERLINK(1)"


async def test_stock_sqladmin_exports_formulas_and_ignores_the_search(stock: Stock) -> None:
    stock.add(title="=HYPERLINK(1)")
    stock.add(title="other")

    answer = await stock.client.get("/admin/note/export/csv?search=other")

    assert {row["title"] for row in table(answer)} == {"=HYPERLINK(1)", "other"}


async def test_export_holds_what_is_searched_and_filtered(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    await make_agent(session, owner, name="weather-bot")
    await make_agent(session, owner, name="weather-asleep", is_active=False)
    await make_agent(session, owner, name="other")

    answer = await desk.get("/admin/agents/export/csv?search=weather&is_active=true")

    assert [row["name"] for row in table(answer)] == ["weather-bot"]
    assert answer.headers["content-disposition"].startswith('attachment; filename="agents-')


async def test_export_is_recorded(
    desk: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    await desk.get("/admin/agents/export/csv?search=weather")

    event = await session.scalar(select(AuditEvent).where(AuditEvent.action == "export"))
    assert event is not None
    assert (event.resource, event.actor_user_id, event.via) == ("agents", staff.id, "admin")
    assert event.changes["filter"] == [None, "search=weather"]


async def test_bad_filter_is_refused_before_anything_is_sent(desk: httpx2.AsyncClient) -> None:
    assert (await desk.get("/admin/agents/export/csv?user_id=x")).status_code == 400
    assert (await desk.get("/admin/agents/export/json")).status_code == 404
    assert (await desk.get("/admin/agents/export/xlsx")).status_code == 404


async def test_export_is_bounded_and_says_so(
    desk: httpx2.AsyncClient, session: AsyncSession, staff: User, counted: QueryCounter
) -> None:
    await session.execute(
        text(
            "INSERT INTO tools (user_id, name, kind, parameters) SELECT :owner, "
            "'tool-' || n, 'function', '{}' FROM generate_series(1, :rows) n"
        ),
        {"owner": staff.id, "rows": MAX_ROWS + 5},
    )

    with counted:
        answer = await desk.get("/admin/tools/export/csv")

    lines = answer.text.splitlines()
    assert len(lines) == 1 + MAX_ROWS + 1
    assert "Only the first 10,000 rows" in lines[-1]
    assert any("LIMIT" in s and "FROM tools" in s for s in counted.statements)


async def test_exports_hold_no_secrets(
    root: httpx2.AsyncClient, session: AsyncSession, superuser: User
) -> None:
    key, token = await make_api_key(session, superuser)
    secrets = (token, key.secret_sha256.hex(), superuser.hashed_password or "no password")

    for identity in ("users", "api_keys", "staff_sessions", "audit_events"):
        answer = await root.get(f"/admin/{identity}/export/csv")
        assert not any(secret in answer.text for secret in secrets)


async def test_no_view_can_show_a_secret_column() -> None:
    from app.admin.base import ServiceView
    from app.core.permissions import Permission

    with pytest.raises(ValueError, match="secret"):

        class Leaky(ServiceView, model=User):
            columns = ("id", "hashed_password")
            permissions = {"list": Permission.USERS_READ}  # noqa: RUF012  (as every view)
