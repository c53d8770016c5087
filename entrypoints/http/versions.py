"""Versions of aggregates as entity tags (RFC 9110, sections 8.8.3 and 13.1)."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header

NO_VERSION = -1
"""A version that nothing has."""

_TAG = r'(W/)?"[!#-~]*"'

IfMatch = Annotated[
    str,
    Header(
        alias="If-Match",
        pattern=rf"^(\*|{_TAG})$",
        description='The ETag that you have seen, such as "1"; * changes any version.',
    ),
]
"""The header of a change."""

IfNoneMatch = Annotated[
    str | None,
    Header(alias="If-None-Match", pattern=rf"^(\*|{_TAG}( *, *{_TAG})*)$", description="The ETag that you have."),
]
"""The header of a request for what the client may have already."""


def etag(version: int) -> str:
    """Return the entity tag of a version."""
    return f'"{version}"'


def version_of(if_match: str) -> int | None:
    """Return the version that a change is meant for; ``None`` for any.

    A weak tag, or one that this server does not make, is of no version.
    """
    if if_match == "*":
        return None
    found = re.fullmatch(r'"(0|[1-9]\d{0,17})"', if_match, re.ASCII)
    return int(found[1]) if found else NO_VERSION


def is_known(version: int, if_none_match: str | None) -> bool:
    """Return whether the client has a version already."""
    if if_none_match is None:
        return False
    return if_none_match == "*" or etag(version) in re.findall(r'"[^"]*"', if_none_match)
