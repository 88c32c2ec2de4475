"""Why something that we talk to does not answer, in words for those who run commands."""

import socket

import asyncpg

REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "its host name is not known"),
    (ConnectionRefusedError, "nobody listens there"),
    (FileNotFoundError, "nobody listens at its socket"),
    (asyncpg.InvalidPasswordError, "the role or its password is not accepted"),
    (asyncpg.InvalidAuthorizationSpecificationError, "the role may not log in"),
    (asyncpg.InvalidCatalogNameError, "there is no such database"),
    (asyncpg.TooManyConnectionsError, "it has no connection left"),
    (asyncpg.CannotConnectNowError, "it is starting or stopping"),
    (TimeoutError, "it does not answer in time"),
    (asyncpg.PostgresError, "it refuses the connection"),
    (OSError, "it cannot be reached"),
)


def reason_of(error: BaseException | None) -> str:
    """By the first error of the chain that says something to people."""
    while error is not None:
        for kind, said in REASONS:
            if isinstance(error, kind):
                return said
        error = error.__cause__ or error.__context__
    return "it does not answer"
