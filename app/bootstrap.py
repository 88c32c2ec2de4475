"""What a fresh database needs before anyone can log in."""

import secrets

from app.core.actor import Actor, Via
from app.core.database import Database
from app.core.permissions import Role
from app.schemas.users import UserCreate
from app.services.users import UserService


def one_time_password() -> str:
    """128 random bits that also satisfy the password rules."""
    return f"A1-{secrets.token_urlsafe(16)}"


async def create_superuser(database: Database, email: str, password: str) -> None:
    """Raise ``Conflict`` when the e-mail is taken."""
    async with database.unit_of_work() as session:
        users = UserService(session, Actor.system(Via.CLI))
        await users.create(
            UserCreate.model_validate(
                {
                    "email": email,
                    "full_name": "First Superuser",
                    "role": Role.SUPERUSER,
                    "password": password,
                }
            )
        )


async def ensure_first_superuser(database: Database, email: str) -> str | None:
    """The new superuser's password on an empty database, ``None`` when there are users."""
    async with database.unit_of_work() as session:
        if await UserService(session, Actor.system(Via.CLI)).exists_any():
            return None
    password = one_time_password()
    await create_superuser(database, email, password)
    return password
