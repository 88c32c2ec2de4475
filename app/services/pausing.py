"""Stopping something for a while, and letting it go on: the same for all that can be paused."""

from typing import Any, TypeVar

from pydantic import BaseModel

from app.models.base import Base
from app.services.base import BaseService

M = TypeVar("M", bound=Base)
C = TypeVar("C", bound=BaseModel)
U = TypeVar("U", bound=BaseModel)


class PausingService(BaseService[M, C, U]):
    """Rows with ``is_active``, which is false while they are paused; others say how they do it."""

    async def pause(self, row_id: int, reason: str | None = None, version: int | None = None) -> M:
        """Stop it; the reason is on record. Pausing what is paused changes nothing.

        Raise ``StaleVersion`` when ``version`` is old.
        """
        return await self._switch("pause", row_id, reason, version)

    async def resume(self, row_id: int, version: int | None = None) -> M:
        """Let it go on. Resuming what is not paused changes nothing."""
        return await self._switch("resume", row_id, None, version)

    async def _switch(self, action: str, row_id: int, reason: str | None, version: int | None) -> M:
        self.require(self.writable)
        row = await self.get(row_id, lock=True)
        self.check_version(row, version)
        await self.set_paused(row, paused=action == "pause")
        await self.save(action, row, note=reason)
        return row

    def is_paused(self, row: Any) -> bool:  # any model with is_active
        return not row.is_active

    async def set_paused(self, row: Any, *, paused: bool) -> None:  # any model with is_active
        row.is_active = not paused
