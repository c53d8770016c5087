"""Rows for the tests of imports, and the refusals that they get."""

from __future__ import annotations

from domain.errors import DomainError
from service_layer.users import UserRow

BATCH = 20
"""How many rows an import stores in one transaction in these tests. A program takes a thousand."""


class Refusals(list[tuple[int, str]]):
    """The lines and the errors of refused rows."""

    def __call__(self, row: UserRow, reason: DomainError) -> None:
        """Note a refusal."""
        self.append((row.line, type(reason).__name__))


def rows(*values: tuple[object, object]) -> list[UserRow]:
    """Return rows with these names and addresses, numbered from 1."""
    return [UserRow(line, username, email) for line, (username, email) in enumerate(values, start=1)]
