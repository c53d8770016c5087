"""Values that look like SQL or like markup of COPY are stored as they are.

test_unique_texts.py has others, for texts of any kind.
"""

from __future__ import annotations

import pytest

from domain.errors import DomainError
from domain.user import EmailAddress, UserNotFound
from service_layer.unit_of_work import UnitOfWork
from service_layer.users import (
    UserRow,
    change_email,
    change_username,
    create_user,
    delete_user,
    get_user,
    import_users,
    list_users,
)

# Each could close a text, begin a statement, name a parameter, or end a COPY. No name may hold a space.
PEOPLE = [
    ("';drop/**/table/**/users;--", '"\';drop table users;--"@example.com'),
    ("x');delete/**/from/**/users;--", '"x\');delete from users;--"@example.com'),
    ("'or'1'='1", "'or'1'='1@example.com"),
    ('"or"1"="1', r'"\"or\"1\"=\"1"@example.com'),
    (r"\';select/**/1;--", r'"\\\';select 1;--"@example.com'),
    ("`users`", "`users`@example.com"),
    (r"\.", r'"\\."@example.com'),
    (r"\n", r'"\\n"@example.com'),
    (r"\x27", r'"\\x27"@example.com'),
    ("%s%(username)s%%", '"%s%(username)s%%"@example.com'),
    (":username", '":username"@example.com'),
    ("$1{0}{{}}", "$1{0}{{}}@example.com"),
    ("?", "?@example.com"),
    ("null", "NULL@example.com"),
]


def test_hostile_values_are_stored_one_by_one(uow: UnitOfWork) -> None:
    """Hostile values are stored, found, changed and removed as they are. No other user is touched."""
    bystander = create_user("bystander", "bystander@example.com", uow)
    for username, email in PEOPLE:
        create_user("ann", "ann@example.com", uow)
        change_email("ann", email, uow)
        change_username("ann", username, uow)
        found = get_user(username, uow)
        assert (username, EmailAddress(email)) == (found.username, found.email)
        delete_user(username, uow)
        with pytest.raises(UserNotFound):
            get_user(username, uow)
    assert (bystander,) == list_users(None, 1000, uow).items


@pytest.mark.every_case
def test_an_import_stores_hostile_values(uow: UnitOfWork) -> None:
    """An import stores hostile values in bulk. A second one finds them, and a third refuses them with new addresses."""
    refused: list[tuple[UserRow, DomainError]] = []
    found = []
    rows = [UserRow(line, *person) for line, person in enumerate(PEOPLE, start=2)]
    others = [UserRow(row.line, row.username, f"{row.line}@example.com") for row in rows]
    for given in (rows, rows, others):
        summary = import_users(given, lambda row, reason: refused.append((row, reason)), uow)
        found.append((summary.stored, summary.present, summary.refused))
    count = len(PEOPLE)
    assert [(count, 0, 0), (0, count, 0), (0, 0, count)] == found
    assert others == [row for row, _ in refused]
    stored = [(user.username, user.email) for user in list_users(None, 1000, uow).items]
    assert sorted((username, EmailAddress(email)) for username, email in PEOPLE) == sorted(stored)
