"""What a port declares about its aggregates for every storage to keep: unique values and references."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, fields_dict, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.aggregate import Aggregate
    from domain.errors import ReferenceMissing, StillReferenced, ValueTaken


@frozen(init=False)
class Unique:
    """Attributes whose values, taken together, no two stored aggregates share.

        Unique("username", error=UsernameTaken)
        Unique("tenant_id", "name", error=NameTaken)
        Unique("name", where={"deleted_at": None}, error=NameTaken)
        Unique("lines.reference", error=ReferenceTaken)
        Unique("lines.number", per_parent=True, error=NumberTaken)

    A path with dots names an attribute of parts. Several paths then name attributes of the same part. Aggregates with
    ``None`` in one of the attributes never clash. With ``where``, only those clash whose attributes have these values.
    With ``per_parent``, only the parts of one root clash. If a row breaks several constraints, the error is that of the
    first in the port.
    """

    names: tuple[str, ...]
    error: type[ValueTaken]
    where: tuple[tuple[str, object], ...]
    per_parent: bool
    path: str = field(eq=False)
    """The path of the parts, such as ``"batches.lines"``. Empty for the root."""

    def __init__(
        self,
        *paths: str,
        error: type[ValueTaken],
        where: Mapping[str, object] | None = None,
        per_parent: bool = False,
    ) -> None:
        parents = {path.rpartition(".")[0] for path in (*paths, *(where or {}))}
        if not paths or len(parents) > 1:
            raise TypeError(f"Unique needs one or more attributes of the root or of one part, not {paths}")
        [parent] = parents
        if per_parent and (not parent or "." in parent):
            raise TypeError(f"per_parent is for attributes of parts directly below the root, not {paths}")
        names = tuple(path.rpartition(".")[2] for path in paths)
        conditions = tuple((path.rpartition(".")[2], value) for path, value in (where or {}).items())
        self.__attrs_init__(names, error, conditions, per_parent, parent)

    def values(self, one: Any) -> tuple[Any, ...] | None:
        """Return the values that an object takes, or ``None`` if it cannot clash with any other."""
        if not self.is_about(one):
            return None
        found = tuple(getattr(one, name) for name in self.names)
        return None if None in found else found

    def is_about(self, one: Any) -> bool:
        """Return whether an object has the values of ``where``."""
        return all(getattr(one, name) == value for name, value in self.where)

    def taken(self, values: tuple[object, ...] | None) -> ValueTaken:
        """Return the error for values that another row has. ``None``: the values are not known."""
        return self.error(None if values is None else ", ".join(map(str, values)))


@frozen(init=False)
class Reference:
    """An attribute that holds the id of another aggregate, which must be stored.

        Reference("owner_id", to=User, missing=OwnerMissing, in_use=UserOwnsTeams)

    A path with dots names an attribute of parts. An id that is not stored raises ``missing``. The removal of an
    aggregate that others refer to raises ``in_use``. ``None`` refers to nothing.
    """

    name: str
    to: type[Aggregate[Any]]
    missing: type[ReferenceMissing]
    in_use: type[StillReferenced]
    path: str
    """The path of the parts. Empty for the root."""

    def __init__(
        self, path: str, *, to: type[Aggregate[Any]], missing: type[ReferenceMissing], in_use: type[StillReferenced]
    ) -> None:
        parent, _, name = path.rpartition(".")
        self.__attrs_init__(name, to, missing, in_use, parent)


def check_attributes(declared: Unique | Reference, kind: type, *subclasses: type) -> None:
    """Raise ``TypeError`` if a class of aggregates has no attribute of a declared name, as far as its root shows.

    Only parts can be those of a subclass.
    """
    known = {name for one in (kind, *(subclasses if declared.path else ())) for name in fields_dict(one)}
    names = [declared.path.partition(".")[0]] if declared.path else attributes_of(declared)
    for name in names:
        if name not in known:
            raise TypeError(f"{declared} names an attribute that {kind.__name__} does not have: {name}")


def attributes_of(declared: Unique | Reference) -> list[str]:
    """Return the names of the attributes about which a port declares something."""
    if isinstance(declared, Reference):
        return [declared.name]
    return [*declared.names, *(name for name, _ in declared.where)]
