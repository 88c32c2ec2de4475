"""What an orchestrator asks."""

import httpx2


async def test_health_answers_without_a_login(client: httpx2.AsyncClient) -> None:
    response = await client.get("/health")
    assert response.status_code == 200
