"""What a port declares, compared with the tables when its SQL repository is declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy import Column, Computed, Index, Integer, Table, UniqueConstraint, and_, case, inspect

from adapters.sql.constraints import Constraint, note_constraints
from adapters.sql.refused import mappers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import ForeignKeyConstraint
    from sqlalchemy.orm import Mapper

    from domain.constraints import Reference, Unique
    from domain.repository import Repository


def declare(repository: type[Repository[Any]]) -> None:
    """Note what a port declares about its tables.

    Raises ``TypeError`` unless they have the same unique values and references.
    """
    mapper: Mapper[Any] | None = inspect(repository.aggregate, raiseerr=False)
    if mapper is None:
        raise TypeError(f"{repository.__name__} needs its class mapped first: call map_aggregate before it")
    paths = dict(_tables(mapper, ""))
    all_declared: tuple[Unique | Reference, ...] = (*repository.unique, *repository.references)
    for declared in all_declared:
        if declared.path not in paths:
            _refuse(repository, f"no parts are at {declared.path!r}, which {declared} names")
    for path, (table, parent) in paths.items():
        key = Constraint(str(table.primary_key.name), tuple(table.primary_key.columns))
        unique = _unique(repository, table, path, parent)
        note_constraints(table, [key, *unique, *_references(repository, table, path, parent)])


def _refuse(repository: type[Repository[Any]], why: str) -> NoReturn:
    raise TypeError(f"{repository.__name__} cannot be declared: {why}")


def _tables(mapper: Mapper[Any], path: str, parent: frozenset[str] = frozenset()) -> Iterator[tuple[str, Any]]:
    """Yield the path and the table of the root and its parts, each with the names of the foreign key to its parent."""
    yield path, (mapper.local_table, parent)
    for relation in mapper.relationships:
        names = frozenset(column.name for column in relation.remote_side)
        yield from _tables(relation.mapper, f"{path}.{relation.key}" if path else relation.key, names)


def marker_of(names: tuple[str, ...]) -> str:
    """Return the name of the column that :func:`unique_where` adds."""
    return "_".join((*names, "is_unique"))


def unique_where(table: Table, *names: str, where: Mapping[str, object]) -> None:
    """Make columns of a table unique among the rows in which others have certain values, for ``Unique(where=...)``.

    MariaDB and MySQL have no partial indexes. So on every database a generated column is 1 in these rows and NULL in
    the others, and is part of the unique constraint.
    """
    conditions = [table.c[name].is_(None) if value is None else table.c[name] == value for name, value in where.items()]
    computed = Computed(case((and_(*conditions), 1)), persisted=True)
    table.append_column(Column(marker_of(names), Integer, computed))
    table.append_constraint(UniqueConstraint(*names, marker_of(names)))


def _unique(repository: type[Repository[Any]], table: Table, path: str, parent: frozenset[str]) -> Iterator[Constraint]:
    found = {frozenset(column.name for column in one.columns): one for one in _unique_constraints(table)}
    for one in found.values():
        if getattr(one, "deferrable", None) or {key: value for key, value in one.dialect_kwargs.items() if value}:
            _refuse(repository, f"{one.name} is deferrable, partial or special: leave that out, or use unique_where()")
    for unique in (one for one in repository.unique if one.path == path):
        marker = {marker_of(unique.names)} if unique.where else set()
        wanted = {*unique.names, *(parent if unique.per_parent else ()), *marker}
        constraint = found.pop(frozenset(wanted), None)
        named = ", ".join(map(repr, unique.names))
        if constraint is None:
            advice = f"unique_where({table.name}, {named}, where=...)" if marker else f"UniqueConstraint({named})"
            _refuse(repository, f"the table {table.name} has no constraint for {unique}: add {advice}")
        columns = tuple(column for column in constraint.columns if column.name not in marker)
        yield Constraint(str(constraint.name), columns, unique, table.c[min(marker)] if marker else None)
    for names in found:
        paths = ", ".join(repr(f"{path}.{name}" if path else name) for name in sorted(names - parent))
        _refuse(repository, f"{table.name} is unique in {', '.join(sorted(names))}: add Unique({paths}, error=...)")


def _unique_constraints(table: Table) -> Iterator[UniqueConstraint | Index]:
    yield from (one for one in table.constraints if isinstance(one, UniqueConstraint))
    yield from (one for one in table.indexes if one.unique)


def _references(
    repository: type[Repository[Any]], table: Table, path: str, parent: frozenset[str]
) -> Iterator[Constraint]:
    keys = {tuple(key.column_keys): key for key in table.foreign_key_constraints if parent != {*key.column_keys}}
    for key in keys.values():
        if key.deferrable:
            _refuse(repository, f"{key.name} is deferrable, so it would be checked at the commit: leave that out")
    for reference in (one for one in repository.references if one.path == path):
        if (reference.name,) not in keys:
            _refuse(repository, f"the table {table.name} has no foreign key for {reference}: add one")
        key = keys.pop((reference.name,))
        if _target(key) is not reference.to:
            _refuse(
                repository, f"{table.name}.{reference.name} refers to {key.referred_table.name}, not as {reference}"
            )
        yield Constraint(str(key.name), tuple(key.columns), reference)
    for names in keys:
        paths = ", ".join(repr(f"{path}.{name}" if path else name) for name in names)
        advice = f"Reference({paths}, to=..., missing=..., in_use=...)"
        _refuse(repository, f"{table.name} has a foreign key of {', '.join(names)}: add {advice}")


def _target(key: ForeignKeyConstraint) -> type | None:
    return next((mapper.class_ for mapper in mappers() if mapper.local_table is key.referred_table), None)
