"""The description of the API, as authors of clients and generators need it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from pydantic import SecretStr

from app.core.config import Settings
from app.main import create_app

Json = dict[str, Any]
PUBLIC_TAGS = {"health"}
OTLP_STATUS = {"$ref": "#/components/schemas/OtlpStatus"}
WITHOUT_CREDENTIALS = {
    "log_in",
    "log_out",
    "refresh_token",
    "forget_password",
    "reset_password",
}


@pytest.fixture(scope="module")
def described() -> FastAPI:
    url = SecretStr("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    settings = Settings(_env_file=None, secret_key=SecretStr("s" * 32), database_url=url)
    return create_app(settings)


@pytest.fixture(scope="module")
def schema(described: FastAPI) -> Json:
    return described.openapi()


def test_title_is_the_name_that_holds(described: FastAPI, schema: Json) -> None:
    assert schema["info"]["title"] == "Greenroom"
    described.state.live_settings.take_up(1, {"project_name": "Backstage"})
    assert described.openapi() == schema | {"info": schema["info"] | {"title": "Backstage"}}


def operations(schema: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def bodies(schema: Json) -> Iterator[tuple[str, Json]]:
    for _, _, operation in operations(schema):
        for media in operation.get("requestBody", {}).get("content", {}).values():
            yield operation["operationId"], media


def test_operations_have_short_names_of_their_own(schema: Json) -> None:
    names = [operation["operationId"] for _, _, operation in operations(schema)]
    assert len(names) == len(set(names))
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name)] == []


def test_operations_say_what_they_do_and_what_they_are_about(schema: Json) -> None:
    described = {tag["name"] for tag in schema["tags"] if tag["description"]}
    for path, method, operation in operations(schema):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        assert len(operation["tags"]) == 1, where
        assert set(operation["tags"]) <= described, where


def test_parameters_are_described_and_bounded(schema: Json) -> None:
    for path, method, operation in operations(schema):
        for parameter in operation.get("parameters", []):
            where = f"{method} {path} {parameter['name']}"
            assert parameter["description"], where
            if parameter["in"] == "path":
                assert {"maximum", "maxLength"} & set(parameter["schema"]), where


def test_operations_ask_for_credentials_where_they_need_them(schema: Json) -> None:
    for path, _, operation in operations(schema):
        is_open = operation["operationId"] in WITHOUT_CREDENTIALS
        is_open |= bool(PUBLIC_TAGS & set(operation["tags"]))
        assert bool(operation.get("security")) is not is_open, path
        if not is_open:
            assert {"401", "403"} <= set(operation["responses"]), path


def test_errors_have_the_envelope_a_text_and_an_example(schema: Json) -> None:
    envelope = {"$ref": "#/components/schemas/ErrorEnvelope"}
    for path, method, operation in operations(schema):
        for status, response in operation["responses"].items():
            if int(status) < 400 or PUBLIC_TAGS & set(operation["tags"]):
                continue
            where = f"{method} {path} {status}"
            assert response["description"], where
            content = response["content"]["application/json"]
            is_otlp = path.startswith("/v1/")
            assert content["schema"] == (OTLP_STATUS if is_otlp else envelope), where
            example = content["example"]
            assert (example if is_otlp else example["error"])["code"], where
            if status in {"429", "503"}:
                assert "Retry-After" in response["headers"], where


def test_every_answer_with_a_body_is_described(schema: Json) -> None:
    for path, method, operation in operations(schema):
        for status, response in operation["responses"].items():
            if status in {"202", "204", "304"}:
                continue
            (found,) = {str(kind["schema"]) for kind in response["content"].values()}
            assert found, f"{method} {path} {status}"


def test_what_creates_says_where(schema: Json) -> None:
    for path, _, operation in operations(schema):
        created = operation["responses"].get("201")
        if created is not None:
            assert "Location" in created["headers"], path
            assert {"409", "422"} <= set(operation["responses"]), path


def test_bodies_have_examples_that_their_schemas_allow(schema: Json) -> None:
    found = 0
    for name, media in bodies(schema):
        reference = media["schema"].get("$ref") or str(media["schema"].get("anyOf", ""))
        component = reference.partition("schemas/")[2].rstrip("'}], ").split("'")[0]
        described = schema["components"]["schemas"].get(component, media["schema"])
        examples = described.get("examples") or [media.get("example")]
        if "x-www-form-urlencoded" in str(media) or "username" in str(media):
            continue
        found += 1
        for example in examples:
            assert example, name
            validator = Draft202012Validator(described | {"components": schema["components"]})
            assert list(validator.iter_errors(example)) == [], name
    assert found > 20


def test_every_reference_leads_somewhere(schema: Json) -> None:
    names = set(re.findall(r"#/components/schemas/([^'\"]+)", str(schema)))
    assert names <= set(schema["components"]["schemas"])
    assert names
