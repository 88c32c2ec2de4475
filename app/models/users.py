"""People: staff who log in, and members who use the API."""

from datetime import datetime

from sqlalchemy import Computed, Index, LargeBinary, String, func, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from app.core.permissions import Role
from app.models.base import Base, Editable, text_enum

SEARCH_NAME_AND_EMAIL = (
    "to_tsvector('simple'::regconfig, full_name || ' ' || email || ' ' || "
    "translate(email, '@.-_+', '     '))"
)


# Nobody can have an address there (RFC 6761).
ERASED_DOMAIN = "@erased.invalid"


class User(Editable, Base):
    __tablename__ = "users"
    __table_args__ = (
        Index(
            "uq_users_email_live",
            func.lower(text("email")),
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_users_search", "search", postgresql_using="gin"),
        Index("ix_users_full_name_id", "full_name", "id"),
        Index("ix_users_created_at_id", "created_at", "id"),
    )

    email: Mapped[str] = mapped_column(String(254))
    full_name: Mapped[str] = mapped_column(String(200))
    # Null until an invitation is accepted.
    hashed_password: Mapped[str | None] = mapped_column(String(255))
    role: Mapped[Role] = mapped_column(text_enum(Role, "role"))
    is_active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    password_changed_at: Mapped[datetime | None]
    last_login_at: Mapped[datetime | None]
    # Encrypted; set before it is confirmed by a first code, in force only after.
    totp_secret: Mapped[bytes | None] = mapped_column(LargeBinary(512))
    totp_confirmed_at: Mapped[datetime | None]
    # The 30-second step of the last accepted code: no code is accepted twice.
    totp_last_step: Mapped[int | None]
    # A name of the IANA database: moments are shown to this person in it.
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC", server_default="UTC")
    # A tag of RFC 5646; null where the browser's wish decides.
    language: Mapped[str | None] = mapped_column(String(35))

    search: Mapped[str] = mapped_column(
        TSVECTOR, Computed(SEARCH_NAME_AND_EMAIL, persisted=True), deferred=True
    )

    @property
    def has_second_factor(self) -> bool:
        return self.totp_confirmed_at is not None

    @property
    def is_erased(self) -> bool:
        return self.email.endswith(ERASED_DOMAIN)

    @property
    def is_superuser(self) -> bool:
        return self.role is Role.SUPERUSER

    def __str__(self) -> str:
        return self.email
