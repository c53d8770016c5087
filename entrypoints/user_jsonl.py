"""Users as JSON Lines: an object on each line, read and written one at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

from entrypoints.lines import LONGEST_LINE, bounded
from entrypoints.user_formats import NEEDED, InvalidFile, Rows, as_record, as_row, refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from domain.user import User
    from entrypoints.sources import Source
    from service_layer.users import UserRow


def read_jsonl(source: Source, *, expected: bool = True) -> Rows:
    """Return a row for each line that holds a JSON object with the keys username and email; blank lines are skipped.

    ``expected`` is whether JSON Lines were asked for, so that they are not worth a word. Raises
    :class:`~entrypoints.user_formats.InvalidFile` for a JSON array.
    """
    if source.first_character == "[":
        raise InvalidFile("[", "it is a JSON array: write one object on each line, for example with jq -c '.[]'")
    usual = expected and source.encoding_name == "UTF-8"
    return Rows("" if usual else f"{source.encoding_name}, JSON Lines", _rows(source))


def _rows(source: Source) -> Iterator[UserRow]:
    for line, text in enumerate(bounded(source), start=1):
        if text.isspace():
            continue
        found = _parse_object(source, text)
        if isinstance(found, str):
            yield refused(line, text, found)
            continue
        username, email = (found.get(name) for name in NEEDED)
        if isinstance(username, str) and isinstance(email, str):
            yield as_row(source, line, username, email, text)
        else:
            reason = "the keys username and email must both be there, with text as their values"
            yield refused(line, text, reason, username, email)


def _parse_object(source: Source, text: str) -> dict[str, Any] | str:
    """Return the object on a line, or the reason why it has none. An error would hold the line in its traceback."""
    if len(text) == LONGEST_LINE:
        return f"the line is too long: it must have fewer than {LONGEST_LINE} characters"
    try:
        found = json.loads(text, object_pairs_hook=_without_doubles)
    except json.JSONDecodeError as error:
        return f"it is not JSON: {error.msg}, at character {error.pos + 1}{source.hint}"
    except (ValueError, RecursionError) as error:  # a key twice; thousands of digits; a thousand nested lists
        return f"it cannot be read as JSON: {error}"
    return found if isinstance(found, dict) else "it is JSON, but not an object"


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice, so it is unknown which value is meant")
    return found


def write_jsonl(users: Iterable[User], target: TextIO) -> None:
    """Write a JSON object with the keys in :data:`~entrypoints.user_formats.FIELDS` for each user, one in a line."""
    target.writelines(json.dumps(as_record(user), ensure_ascii=False) + "\n" for user in users)
