"""How SQLAlchemy comes to watch an object whose class it did not know yet."""

from __future__ import annotations

from attrs import asdict, define
from sqlalchemy import Column, Integer, String, Table, Uuid, inspect
from sqlalchemy.orm import registry

from adapters.sql.metadata import watch
from domain.aggregate import Aggregate


@define(slots=False, eq=False, kw_only=True)
class Note(Aggregate):
    """An aggregate that is mapped in this test alone."""

    text: str


def test_an_object_that_was_made_before_its_class_was_mapped_is_watched_from_its_first_use_on() -> None:
    """With the values it has; one that is watched already is left alone, and what it was before is not forgotten."""
    note = Note(text="a", version=3)
    values = asdict(note)
    own = registry()
    columns = (Column("id", Uuid, primary_key=True), Column("version", Integer), Column("text", String))
    own.map_imperatively(Note, Table("notes", own.metadata, *columns))
    own.configure()
    try:
        watch(note)
        assert values == asdict(note)
        state = inspect(note)
        note.text = "b"
        watch(note)
        assert inspect(note) is state
        assert (["b"], ["a"]) == (state.attrs.text.history.added, state.attrs.text.history.deleted)
    finally:
        own.dispose()
