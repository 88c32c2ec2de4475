"""Every mounted route of the API and the pages, with the permission that it declares."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from app.api.deps import RequirePermission
from app.core.permissions import Permission
from app.pages.deps import RequireStaffPermission

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Door:
    """One method of one route."""

    method: str
    path: str
    permissions: tuple[Permission, ...]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_api(self) -> bool:
        return self.path.startswith(("/api/", "/v1/"))

    @property
    def writes(self) -> bool:
        return self.method not in SAFE


def declared(dependant: Dependant) -> Iterator[Permission]:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, RequirePermission | RequireStaffPermission):
            yield dependency.call.permission
        yield from declared(dependency)


def doors_of(app: FastAPI) -> list[Door]:
    found = []
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        if dependant is None or route.path is None:
            continue
        permissions = tuple(dict.fromkeys(declared(dependant)))
        found += [Door(m, route.path, permissions) for m in sorted(route.methods or ())]
    return found
