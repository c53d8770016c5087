"""What users are in files of every format: their fields, the rows of an import, and why one cannot be read.

The names and addresses of an export can be imported again; ids, times and ``active`` are not taken over. A row that
cannot be read costs that row alone: it comes with an :class:`InvalidRow` as its problem, for which the use case refuses
it like any other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import frozen

from domain.errors import InvalidValue, shown
from domain.user import EmailAddress
from service_layer.users import UserRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.user import User
    from entrypoints.sources import Source

FIELDS = ("id", "username", "email", "created_at", "active", "version")
"""What a user shows to the outside, in the order of an export's columns."""

NEEDED = ("username", "email")
"""The columns that an import needs."""

REJECTS = ("line", *NEEDED, "reason")
"""The columns of a file of rejects."""

# What a file of rejects holds. A longer value, with line ends in it, could make a row of more lines than are read.
_LONGEST_REJECT = 400

# No character decomposes into more than four, so no longer text is a name or an address.
_LONGEST_VALUE = 4 * EmailAddress.MAX_LENGTH

_SHOWN = 60  # as many as a message shows

_BROKEN = re.compile("[\ud800-\udfff\ufffd]")


class InvalidFile(InvalidValue):
    """None of the rows of a file can be understood; ``value`` is its beginning."""

    kind: ClassVar[str] = "beginning of a file"


class InvalidHeader(InvalidValue):
    """A CSV file does not begin with the names of its columns, so none of its rows can be understood."""

    kind: ClassVar[str] = "header line"


class InvalidRow(InvalidValue):
    """A row of a file cannot be read; ``value`` is what was found there."""

    kind: ClassVar[str] = "row"


@frozen
class Rows:
    """The rows of a file, and what was recognised of its form; ``form`` is empty where that is the usual one."""

    form: str
    _rows: Iterator[UserRow]

    def __iter__(self) -> Iterator[UserRow]:
        return self._rows


def as_record(user: User) -> dict[str, Any]:
    """Return a user as plain values under the names of :data:`FIELDS`; the time in ISO 8601, in UTC."""
    return {
        "id": str(user.id),
        "username": user.username,
        "email": user.email,
        "created_at": user.created_at.isoformat(),
        "active": user.active,
        "version": user.version,
    }


def as_row(source: Source, line: int, username: str, email: str, text: str | None = None) -> UserRow:
    """Return a row of an import, its values without white space around them.

    It has a problem if a character of a value could not be read. ``text`` is what stands in the file for the values,
    where that is not the values themselves.
    """
    username, email = source.restored(username.strip()), source.restored(email.strip())
    for value in (username, email):
        if len(value) > _LONGEST_VALUE:
            reason = f"it has {len(value)} characters, and no name or address has more than {_LONGEST_VALUE}"
            return refused(line, value, reason, username, email)
        if not value.isascii() and (broken := _BROKEN.search(value)):
            if found := source.bad_bytes(value if text is None else text):
                return refused(line, found, source.why_not_utf_8(found), username, email)
            reason = f"{shown(broken[0])} stands where a character could not be read: write that character instead"
            return refused(line, value, reason, username, email)
    return UserRow(line, username, email)


def refused(
    line: int, found: str | bytes | list[str], reason: str, username: object = None, email: object = None
) -> UserRow:
    """Return a row that cannot be read, with the values that a file of rejects can hold.

    It keeps the beginning of what was found, because a thousand rows are in memory together.
    """
    if isinstance(found, list):
        beginning: object = [cell[:_SHOWN] for cell in found[: _SHOWN // 3]]  # each shows three or more
    elif isinstance(found, str) and len(found) > _SHOWN:
        beginning = f"{found[: _SHOWN - 3]}..."
    else:
        beginning = found[:_SHOWN]
    return UserRow(line, mendable(username), mendable(email), InvalidRow(beginning, reason))


def mendable(value: object) -> str | None:
    """Return a refused value as a file of rejects can hold it; ``None`` for what is not text, or could be no value.

    U+FFFD stands for what could not be read, and is refused by each import.
    """
    if isinstance(value, str) and len(value) <= _LONGEST_REJECT:
        return _BROKEN.sub("\ufffd", value)
    return None
