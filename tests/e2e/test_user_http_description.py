"""What /openapi.json says of users, for those who let a program write their client."""

from __future__ import annotations

import json
from typing import Any

from adapters.fake.unit_of_work import FakeUnitOfWork
from tests.e2e.http_server import serving


def description() -> Any:
    """Return the description of the interface."""
    with serving(FakeUnitOfWork) as http:
        return http.get("/openapi.json").json()


def test_headers_are_described_as_clients_send_and_get_them() -> None:
    """Headers are described by their usual names. No header and no part of a query can be null."""
    paths = description()["paths"]
    operations = {one["operationId"]: one for ways in paths.values() for one in ways.values()}
    given = {name: {one["name"] for one in operation.get("parameters", ())} for name, operation in operations.items()}
    assert {"If-Match", "Idempotency-Key", "username"} == given["delete_user"]
    assert {"If-None-Match", "username"} == given["get_user"]
    assert '"null"' not in json.dumps([one.get("parameters") for one in operations.values()])
    answered = {
        (name, status): set(answer.get("headers", ()))
        for name, operation in operations.items()
        for status, answer in operation["responses"].items()
    }
    assert {"ETag", "Location"} == answered["create_user", "201"]
    assert [{"ETag"}] * 3 == [
        answered[one] for one in (("get_user", "200"), ("get_user", "304"), ("update_user", "200"))
    ]
    assert {"Link"} == answered["list_users", "200"]
    assert all(headers == {"Retry-After"} for (_, status), headers in answered.items() if status == "503")


def test_the_description_is_for_clients_over_http() -> None:
    """The description names no error of Python. It names each choice and lists the types of problems."""
    schema = description()
    assert "Raises" not in json.dumps(schema)
    sort = next(one for one in schema["paths"]["/users"]["get"]["parameters"] if one["name"] == "sort")["schema"]
    assert "created_at_descending" == dict(zip(sort["enum"], sort["x-enum-varnames"], strict=True))["-created_at"]
    types = schema["components"]["schemas"]["Problem"]["properties"]["type"]["examples"]
    assert {"about:blank", "/problems/not-found", "/problems/precondition-required"} <= set(types)
    assert len(set(types)) == len(types)
