"""A savepoint of a SQL unit of work. It undoes later writes in the database and in the objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect
from sqlalchemy.orm import make_transient, make_transient_to_detached

from adapters.sql.json_changes import find_json_changes
from adapters.sql.parts import deleted_of, make_parts_new, parts_of, root_of
from adapters.sql.reading import read_again
from domain.aggregate import Aggregate
from service_layer.savepoint import Savepoint

if TYPE_CHECKING:
    from adapters.sql.session import UnitSession


class SqlSavepoint(Savepoint):
    """A nested transaction of a session. It is the innermost of ``open_ones`` until it ends."""

    def __init__(self, session: UnitSession, open_ones: list[SqlSavepoint]) -> None:
        self._session = session
        self._open_ones = open_ones
        self._nested = session.begin_nested()
        self._removed: list[tuple[Any, tuple[Any, ...], Aggregate[Any]]] = []
        self._reordered: list[Aggregate[Any]] = []
        self.can_be_undone = True
        """False once it is to be released: if that fails, the database cannot roll back to it either."""

    def note_removed(self, one: Any) -> None:
        """Note an object whose row was deleted. When that is undone, the object is stored again, not new."""
        root = one if isinstance(one, Aggregate) else root_of(one)
        self._removed.append((one, inspect(one).identity, root))

    def release(self) -> None:
        self.can_be_undone = False
        self._nested.commit()
        self._open_ones.pop()
        for outer in self._open_ones[-1:]:
            outer._removed += self._removed  # noqa: SLF001  # another object of this class

    def roll_back(self) -> None:
        """Roll back the database. The objects keep their values and leave the session."""
        if self._session.get_nested_transaction() is self._nested:
            self._reordered = self._session.renumber()
            find_json_changes(self._session)
            self._nested.rollback()

    def undo(self, written: list[tuple[Aggregate[Any], int]]) -> None:
        self.roll_back()
        self._open_ones.pop()
        session = self._session
        objects = self._taken_back()
        changed = {id(root): root for root in self._roots_of(objects) if root in session}
        changed |= {id(root): root for root, _ in written if root in session}
        read_again(changed.values(), session)
        session.expunge_each(session.new)  # new parts that came back with their parents
        for one in objects:
            root = root_of(one)
            if inspect(one).detached and root is not None and root in session:
                session.add(one)  # it was expunged with a new part that it had been moved into
        lost = [one for one in objects if not _is_in_place(one, changed)]
        session.expunge_each(lost)
        make_parts_new(lost)
        for root, version in written:
            if root not in session:
                root.version = version

    def _taken_back(self) -> list[Any]:
        """Return the objects from before the savepoint, in the session again. Later additions are new again."""
        session, given_up = self._session, list(self._session.given_up)
        session.given_up.clear()
        new = [one for one in given_up if inspect(one).transient]
        back: dict[Any, Any] = {}
        for one, identity, _ in self._removed:
            _make_stored(one, identity)
            back.setdefault(inspect(one).key, one)  # of several with one key, the first was here before the others
        for one in (one for one in given_up if not inspect(one).transient):
            back.setdefault(inspect(one).key, one)
        new += [one for one, _, _ in self._removed]
        back_ids = {id(one) for one in back.values()}
        make_parts_new(one for one in new if id(one) not in back_ids and not isinstance(one, Aggregate))
        session.add_all(back.values())
        return list(back.values())

    def _roots_of(self, objects: list[Any]) -> list[Aggregate[Any]]:
        """Return the aggregates with unflushed changes, with removed parts, or reordered since."""
        modified = [one for one in objects if self._session.is_changed(one) or deleted_of(one)]
        roots = [one if isinstance(one, Aggregate) else root_of(one) for one in modified]
        return [
            root for root in (*roots, *self._reordered, *(root for _, _, root in self._removed)) if root is not None
        ]


def _make_stored(one: Any, identity: tuple[Any, ...]) -> None:
    """Make a removed object a stored one, under the key that it had."""
    make_transient(one)  # it may have been added again, and got another key from the database
    mapper = inspect(type(one))
    for column, value in zip(mapper.primary_key, identity, strict=True):
        vars(one)[mapper.get_property_by_column(column).key] = value
    make_transient_to_detached(one)


def _is_in_place(one: Any, changed: dict[int, Aggregate[Any]]) -> bool:
    """Return false for a part that its root no longer holds after the root was read again."""
    root = None if isinstance(one, Aggregate) else root_of(one)
    return root is None or id(root) not in changed or any(part is one for part in parts_of(root))
