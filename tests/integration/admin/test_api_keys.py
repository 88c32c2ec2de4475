"""Keys in the data admin: everything about them but what opens."""

import httpx2
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import User
from tests.factories.api_keys import make_api_key


async def test_key_is_shown_with_its_limits_and_never_with_its_hash(
    root: httpx2.AsyncClient, session: AsyncSession, superuser: User
) -> None:
    key, token = await make_api_key(session, superuser)
    successor, _ = await make_api_key(session, superuser)
    key.allowed_cidrs, key.replaced_by_id = ["192.0.2.0/24"], successor.id
    await session.flush()

    details = (await root.get(f"/admin/api_keys/details/{key.id}")).text
    listed = (await root.get("/admin/api_keys/list")).text
    exported = (await root.get("/admin/api_keys/export/csv")).text

    assert "192.0.2.0/24" in details
    assert f'href="/admin/api_keys/details/{successor.id}"' in details
    for text in (details, listed, exported):
        assert token not in text
        assert key.secret_sha256.hex() not in text
        assert "secret" not in text.lower()
