"""Read aggregates whole: root and parts of one version, however many statements that takes."""

from __future__ import annotations

from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import Select, bindparam, false, inspect, select, update
from sqlalchemy.orm.util import identity_key

from adapters.sql.json_changes import note_json
from adapters.sql.parts import graph_of, note_root, parts_of, relations_of, root_of
from adapters.sql.postgres import STREAMED
from adapters.sql.session import AS_IT_IS
from domain.aggregate import Aggregate, base_of
from domain.attributes import sort_keys
from domain.errors import ConcurrentChange, UnitOfWorkMisuse
from service_layer.versions import write_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy.orm import ORMExecuteState

    from adapters.sql.session import UnitSession

_T = TypeVar("_T")

READ_AGAIN = 3
"""How often a statement is run again if another unit has changed its aggregates while they were read."""


def result_of(state: ORMExecuteState) -> Any:
    """Run a query of a repository and return its result.

    Raises what :func:`read_whole` does, and :class:`~domain.errors.UnitOfWorkMisuse` for a query that would read
    aggregates with parts in pieces.
    """
    kind = None if state.bind_mapper is None else state.bind_mapper.class_
    if not STREAMED.isdisjoint(state.execution_options):
        if kind is not None and any(relations_of(one.class_) for one in inspect(kind).self_and_descendants):
            raise UnitOfWorkMisuse(
                f"{kind.__name__} has parts, which cannot be read whole piece by piece: leave out yield_per and"
                " stream_results, or use the stream() of the repository"
            )
        return state.invoke_statement()
    return read_whole(lambda: state.invoke_statement().freeze(), cast("UnitSession", state.session))()


def read_whole(read: Callable[[], _T], session: UnitSession, *, strongly: bool = True) -> _T:
    """Return all that a query reads when the root and the parts of every aggregate are of one version.

    The session keeps the aggregates until the unit ends. If not ``strongly``, it keeps them as long as the caller does.
    Raises :class:`~domain.errors.ConcurrentChange` when other units have changed them at every try.
    """
    for _ in range(1 + READ_AGAIN):
        session.loaded.clear()
        found = read()
        loaded = [one for one in (state.obj() for state in session.loaded) if one is not None]
        if not any(map(_has_parts, {*map(type, loaded)})):
            session.keep(loaded, strongly=strongly)
            return found
        new = [one for one in loaded if isinstance(one, Aggregate)]
        _check_loaded(new)
        if not _expunge_strays(new, loaded, session) and _are_current(new, session):
            _own(new, session)
            session.keep(new, strongly=strongly)
            return found
        session.expunge_each(loaded)  # run the whole statement again: its condition may no longer hold
    raise ConcurrentChange.of(new)


def _has_parts(kind: type) -> bool:
    """Return whether objects of a class are read with others: an aggregate with its parts, or a part."""
    return bool(relations_of(kind)) or not issubclass(kind, Aggregate)


def _check_loaded(roots: Iterable[Aggregate[Any]]) -> None:
    """Refuse objects from which a loader option left something out. It would be read later, in another version."""
    for one in (one for root in roots for one in graph_of(root) if relations_of(type(root))):
        if missing := inspect(one).unloaded:
            raise UnitOfWorkMisuse(
                f"a query has left out {type(one).__name__}.{min(missing)}: an aggregate is read whole, so leave out"
                " options such as defer, lazyload and raiseload"
            )


def _expunge_strays(roots: Iterable[Aggregate[Any]], just_loaded: Iterable[Any], session: UnitSession) -> bool:
    """Expunge parts that were read earlier without their aggregate, as they may be older. Return whether any was."""
    loaded = {id(one) for one in just_loaded}
    strays = [part for root in roots for part in parts_of(root) if id(part) not in loaded and root_of(part) is None]
    session.expunge_each(strays)
    return bool(strays)


def lock_row(statement: Select[Any], parameters: Mapping[str, Any], session: UnitSession) -> None:
    """Lock the row of the root that a statement finds. Read its aggregate again if this unit holds it."""
    connection = session.connection()
    kind = statement.column_descriptions[0]["entity"]
    if connection.dialect.name == "sqlite":  # it locks no rows: a writer locks the database
        connection.execute(update(inspect(kind).local_table).where(false()).values(version=0))
    only_key = statement.with_only_columns(_key(kind)).with_for_update(key_share=True)
    for id in connection.execute(only_key, parameters).scalars():
        held = session.identity_map.get(identity_key(kind, id))
        if held is not None:
            read_again([held], session)


def read_again(roots: Iterable[Aggregate[Any]], session: UnitSession) -> None:
    """Read stored aggregates again into the same objects. Expunge unchanged those that are no longer stored."""
    for kind, some in groupby(sorted(roots, key=write_order), key=lambda root: base_of(type(root))):
        asked = {root.id: root for root in some}
        for _ in range(1 + READ_AGAIN):
            statement: Select[Any] = select(kind).where(_key(kind).in_(list(asked)))
            found = list(session.scalars(statement, execution_options={AS_IT_IS: True, "populate_existing": True}))
            if _are_current(found, session):
                break
        else:
            raise ConcurrentChange.of(asked.values())
        for root in found:
            for part in parts_of(root):
                inspect(part).parents.clear()  # otherwise it stays an orphan of a collection that it was taken from
            _sort(root)
            note_root(root)
            note_json(graph_of(root))
        session.expunge_each(root for root in asked.values() if root not in found)


def _are_current(roots: Iterable[Aggregate[Any]], session: UnitSession) -> bool:
    """Return whether the versions are still those that were read before the parts."""
    with_parts = [root for root in roots if relations_of(type(root))]
    for kind, some in groupby(sorted(with_parts, key=write_order), key=lambda root: base_of(type(root))):
        read = {root.id: root.version for root in some}
        found = session.connection().execute(_versions_of(kind), {"ids": list(read)})
        if {id: version for id, version in found} != read:  # noqa: C416  # a row is no pair for mypy
            return False
    return True


def _own(roots: Iterable[Aggregate[Any]], session: UnitSession) -> None:
    for root in roots:
        for part in parts_of(root):
            before = root_of(part)
            if before is not None and before is not root and part in session and before in session:
                raise ConcurrentChange.of([before, root])  # another unit has moved the part since it was read here
        _sort(root)
        note_root(root)


def _sort(root: Aggregate[Any]) -> None:
    """Sort the lists that an attribute orders. The database has sorted texts by the collation of a column."""
    for parent in graph_of(root) if relations_of(type(root)) else ():
        for name, key in sort_keys(type(parent)).items():
            vars(parent)[name].sort(key=key)


def _key(kind: type) -> Any:
    return inspect(kind).primary_key[0]


@cache
def _versions_of(kind: type) -> Select[Any]:
    return select(_key(kind), inspect(kind).version_id_col).where(_key(kind).in_(bindparam("ids", expanding=True)))
