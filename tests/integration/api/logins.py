"""Logging in to the JSON API as its clients do."""

from typing import Any

import httpx2

from app.models import User
from tests.factories.users import PASSWORD

AUTH = "/api/v1/auth"
NEW_PASSWORD = "Better-Horse-8"
PASSWORDS = {
    "current_password": PASSWORD,
    "password": NEW_PASSWORD,
    "confirm_password": NEW_PASSWORD,
}
Tokens = dict[str, Any]


async def sign_in(client: httpx2.AsyncClient, user: User, **more: str) -> Tokens:
    body = {"email": user.email, "password": PASSWORD} | more
    response = await client.post(f"{AUTH}/login", json=body)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    tokens: Tokens = response.json()
    return tokens


def bearer(tokens: Tokens) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def refresh(client: httpx2.AsyncClient, tokens: Tokens) -> httpx2.Response:
    body = {"refresh_token": tokens["refresh_token"]}
    return await client.post(f"{AUTH}/token/refresh", json=body)


async def status_of(client: httpx2.AsyncClient, tokens: Tokens) -> int:
    return (await client.get("/api/v1/agents", headers=bearer(tokens))).status_code
