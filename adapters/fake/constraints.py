"""The unique values and references of a fake transaction, checked and locked row by row as in PostgreSQL."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import define

from adapters.fake.copies import Snapshot
from domain.aggregate import base_of
from domain.attributes import stored_names
from domain.errors import DuplicateIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from adapters.fake.database import IndexKey
    from adapters.fake.rows import Rows
    from domain.aggregate import Aggregate
    from domain.constraints import Reference, Unique

_REFERRED, _GAVE_UP = "is referred to", "is referred to no longer"  # what is locked of an id besides its row


@define(eq=False)
class _Claim:
    """A value that a row takes: the key of a unique value, and the error if another row has it."""

    key: IndexKey
    taken: Callable[[], Exception]


class Constraints:
    """The constraints that the ports declare, on the rows of one transaction."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._unique: dict[type, Sequence[Unique]] = {}
        self._references: dict[type, Sequence[Reference]] = {}

    def declare(self, kind: type[Aggregate[Any]], unique: Sequence[Unique], references: Sequence[Reference]) -> None:
        """Note what the port of a class of aggregates declares."""
        self._unique[kind] = unique
        self._references[kind] = references

    def is_unique(self, kind: type, name: str) -> bool:
        """Return whether an attribute of the root is unique by itself, in all rows."""
        return self._place(kind, name) is not None

    def holder(self, kind: type, name: str, value: object) -> Any:
        """Return the id of the aggregate that has a value of such an attribute."""
        return self._rows.holder((kind, str(self._place(kind, name)), (value,)))

    def _place(self, kind: type, name: str) -> int | None:
        alone = ((one.names, one.path, one.where) == ((name,), "", ()) for one in self._unique[kind])
        return next((place for place, is_alone in enumerate(alone) if is_alone), None)

    def take(
        self, root: Snapshot, path: str, old: Snapshot | None, new: Snapshot, old_root: Snapshot | None = None
    ) -> None:
        """Take the unique values of a row that is inserted or updated, then check its references.

        ``old_root`` is the root that had a part before. Raises the errors that the port declares, and
        :class:`~domain.errors.DuplicateIdentity` for the id of a part.
        """
        if old is not None and not path and self._key_values(old) != self._key_values(new):
            self._rows.lock((base_of(root[0]), _REFERRED, root.id))  # other units that refer to it wait
        before = {} if old is None else {claim.key: claim for claim in self._claims(old_root or root, path, old)}
        now = {claim.key: claim for claim in self._claims(root, path, new)}
        for key, claim in now.items():
            if key not in before:
                self._claim(key, claim.taken)
            self._rows.hold(key, root.id)  # even if it has the key: the part may have moved from another root
        self._give_up(key for key in before if key not in now)
        for reference in self._references_at(base_of(root[0]), path):
            id = getattr(new, reference.name)
            if id is not None and (old is None or getattr(old, reference.name) != id):
                self._refer(reference, id)

    def give_up(self, root: Snapshot, path: str, row: Snapshot) -> None:
        """Give up the unique values and the references of a row that is deleted."""
        self._give_up(claim.key for claim in self._claims(root, path, row))
        for reference in self._references_at(base_of(root[0]), path):
            self._rows.lock((reference.to, _GAVE_UP, getattr(row, reference.name)), shared=True)

    def check_unreferenced(self, row: Snapshot) -> None:
        """Raise the error of the first port whose aggregates refer to the one to be removed."""
        kind, id = base_of(row[0]), row.id
        for referring, references in self._references.items():
            for reference in references:
                if reference.to is kind:
                    self._rows.lock((kind, _REFERRED, id))  # a unit that adds a reference to it waits
                    self._rows.wait((kind, _GAVE_UP, id))
                    if any(id in _ids(one, reference) for one in self._rows.of_kind(referring)):
                        raise reference.in_use(id)

    def _claim(self, key: IndexKey, taken: Callable[[], Exception]) -> None:
        self._rows.lock(key)
        if self._rows.holder(key) is not None:
            raise taken()

    def _refer(self, reference: Reference, id: Any) -> None:
        self._rows.lock((reference.to, _REFERRED, id), shared=True)  # a unit that removes it waits
        if self._rows.get((reference.to, id)) is None:
            raise reference.missing(id)

    def _give_up(self, keys: Iterator[IndexKey]) -> None:
        for key in keys:
            self._rows.lock(key)
            self._rows.hold(key, None)

    def _claims(self, root: Snapshot, path: str, row: Snapshot) -> Iterator[_Claim]:
        kind = base_of(root[0])
        if path and "id" in stored_names(row[0]):
            yield _Claim((kind, path, row.id), lambda: DuplicateIdentity(row.id))
        for place, unique in enumerate(self._unique[kind]):
            values = unique.values(row) if unique.path == path else None
            if values is not None:
                key: Any = (root.id, values) if unique.per_parent else values
                yield _Claim((kind, str(place), key), partial(unique.taken, values))

    def _key_values(self, root: Snapshot) -> list[object]:
        """Return the values in unique constraints. PostgreSQL must assume that foreign keys refer to them."""
        own = [unique for unique in self._unique[base_of(root[0])] if not unique.path]
        return [(*[getattr(root, name) for name in one.names], one.is_about(root)) for one in own]

    def _references_at(self, kind: type, path: str) -> Iterator[Reference]:
        return (reference for reference in self._references[kind] if reference.path == path)


def _ids(row: Snapshot, reference: Reference) -> list[object]:
    """Return the ids to which an attribute of a row or of its parts refers."""
    held: list[Any] = [row]
    for name in reference.path.split(".") if reference.path else ():
        values = [getattr(one, name, None) for one in held]  # only a subclass may have these parts
        held = [part for value in values for part in _parts(value)]
    return [getattr(one, reference.name) for one in held]


def _parts(value: Any) -> Sequence[Any]:
    """Return the parts in the snapshot of a list, a set, or a single part."""
    several = [value] if isinstance(value, Snapshot) else value
    return () if several is None else tuple(several)
