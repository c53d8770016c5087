"""Find changes inside of JSON by comparing texts, since SQLAlchemy sees none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect
from sqlalchemy.orm.attributes import flag_modified, set_committed_value

from domain.limits import json_names, limits_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

classes_with_json: set[type] = set()
"""The mapped classes that have such attributes."""

_TEXTS = "json"  # the key in SQLAlchemy's ``info`` of an object that holds the texts of its JSON, by attribute


def note_json(objects: Iterable[Any]) -> None:
    """Note what objects hold that were just read or written."""
    for one in objects:
        if names := json_names(type(one)):
            inspect(one).info[_TEXTS] = {name: _text(one, name) for name in names}


def find_json_changes(session: Session) -> None:
    """Report to SQLAlchemy which JSON of stored objects has changed, and which is the same in a new object."""
    for one in session.identity_map.values() if classes_with_json else ():
        known: dict[str, Any] = inspect(one).info.get(_TEXTS, {}) if json_names(type(one)) else {}
        for name in known.keys() & vars(one).keys():  # a deleted attribute is refused elsewhere
            if _text(one, name) != known[name]:
                flag_modified(one, name)
            elif inspect(one).attrs[name].history.has_changes():
                set_committed_value(one, name, vars(one)[name])


def _text(one: Any, name: str) -> Any:
    value = vars(one).get(name)
    try:
        return None if value is None else limits_of(type(one))[name].stored(value)
    except ValueError:
        return object()  # equal to no text: it counts as a change, and its flush refuses it
