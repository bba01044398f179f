"""The routes of the application as documents: which right each needs, and how each can fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from evenhand.centre.api.access import Needs
from evenhand.centre.api.guard import is_public
from evenhand.centre.api.problem import MEDIA_TYPE, ProblemDocument
from evenhand.centre.protocol import Right

_REF = "#/components/schemas/{model}"


@dataclass(frozen=True, slots=True)
class Way:
    """A method of a path.

    Attributes:
        right: What it needs; None where it is public, or where its route does not say.
        public: Whether it is answered to anybody.
        said: What it does.
        listed: Whether the API's document lists it.

    """

    method: str
    path: str
    right: Right | Literal["any"] | None
    public: bool
    said: str
    listed: bool


def ways(app: FastAPI) -> Iterator[Way]:
    """Yield every way into an application, by its routes."""
    for route in iter_route_contexts(app.routes):
        path, dependant = str(route.path), getattr(route, "dependant", None)
        said = (getattr(route.endpoint, "__doc__", "") or "").strip().partition("\n")[0]
        # What is mounted has no methods of its own.
        for method in sorted(route.methods or {"GET"}):
            yield Way(
                method,
                path,
                None if dependant is None else right_of(dependant),
                is_public(f"{path}/" if route.methods is None else path),
                said,
                bool(getattr(route, "include_in_schema", False)),
            )


def right_of(dependant: Dependant) -> Right | Literal["any"] | None:
    """Return the right that a route needs, by its dependencies; None where it names none."""
    if isinstance(dependant.call, Needs):
        return dependant.call.right
    found = (right_of(one) for one in dependant.dependencies)
    return next((one for one in found if one is not None), None)


def describe(app: FastAPI) -> None:
    """Let the document of an API say how it fails, and who may ask."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _described(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary="Where every product's evidence lives.",
        description=_ABOUT,
        routes=app.routes,
    )
    parts = document.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = ProblemDocument.model_json_schema(ref_template=_REF)
    schemas.update(problem.pop("$defs", {}))
    schemas["ProblemDocument"] = problem
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="ProblemDocument")}}}
    parts["responses"] = {"Problem": {"description": "What went wrong.", "content": content}}
    parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    told = {(way.path, way.method.lower()): way for way in ways(app)}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            way = told[path, method]
            for status in ("422", "4XX", "5XX"):
                operation["responses"].pop(status, None)
            for status in ("4XX", "5XX"):
                operation["responses"][status] = {"$ref": "#/components/responses/Problem"}
            if way.right is not None:
                operation["security"] = [{"token": []}]
                operation["x-right"] = way.right
    return document


_ABOUT = (
    "Where nobody logs in, which is on loopback alone, no token is needed. Lists are given in "
    "parts: `next` of one is `after` of the next. What may not be seen is answered as what is not "
    "there. Putting, announcing, and pushing again changes nothing."
)
