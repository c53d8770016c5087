"""Compare what a port declares with the tables when its SQL repository is declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from attrs import fields_dict
from sqlalchemy import Column, Computed, Index, Integer, Table, UniqueConstraint, and_, case, inspect

from adapters.sql.constraints import Constraint, note_constraints
from adapters.sql.refused import mappers
from adapters.sql.types import Key
from domain.constraints import attributes_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import ColumnElement, ForeignKeyConstraint
    from sqlalchemy.orm import Mapper, RelationshipProperty

    from domain.constraints import Reference, Unique
    from domain.repository import Repository


def declare(repository: type[Repository[Any, Any]]) -> None:
    """Note what a port declares about its tables.

    Raises ``TypeError`` unless the tables have the same unique values and references.
    """
    mapper: Mapper[Any] | None = inspect(repository.aggregate, raiseerr=False)
    if mapper is None:
        raise TypeError(f"{repository.__name__} needs its class mapped first: call map_aggregate before it")
    _check_subclasses(repository, mapper)
    paths = dict(_tables(mapper, ""))
    all_declared: tuple[Unique | Reference, ...] = (*repository.unique, *repository.references)
    for declared in all_declared:
        if declared.path not in paths:
            _refuse(repository, f"no parts are at {declared.path!r}, which {declared} names")
        for name in _value_objects(mapper, declared.path).intersection(attributes_of(declared)):
            _refuse(repository, f"{name} is a value object: hold what {declared} is about in an attribute of its own")
    for path, (table, parent) in paths.items():
        _refuse_other_texts(repository, table)
        key = Constraint(str(table.primary_key.name), tuple(table.primary_key.columns))
        unique = _unique(repository, table, path, parent)
        note_constraints(table, [key, *unique, *_references(repository, table, path, parent)])


def _refuse(repository: type[Repository[Any, Any]], why: str) -> NoReturn:
    raise TypeError(f"{repository.__name__} cannot be declared: {why}")


def _refuse_other_texts(repository: type[Repository[Any, Any]], table: Table) -> None:
    for key in table.foreign_keys:
        if isinstance(key.column.type, Key) and not isinstance(key.parent.type, Key):
            where = f"{table.name}.{key.parent.name}"
            _refuse(repository, f"{where} could not be compared with the text that it refers to: leave out its type")


def _check_subclasses(repository: type[Repository[Any]], mapper: Mapper[Any]) -> None:
    if mapper.inherits:
        _refuse(repository, f"{mapper.class_.__name__} is a subclass: use the repository of its base class")
    mapped = {one.class_ for one in mapper.self_and_descendants if one is not mapper}
    if mapped != {*repository.subclasses}:
        names = ", ".join(sorted(kind.__name__ for kind in mapped))
        _refuse(repository, f"its class is mapped with other subclasses: write subclasses = ({names},) in the port")
    for relation in (relation for one in mapper.self_and_descendants for relation in one.relationships):
        if _relations(mapper)[relation.key] is not relation:
            _refuse(repository, f"two subclasses have parts at {relation.key!r}: give them different names")


def _relations(mapper: Mapper[Any]) -> dict[str, RelationshipProperty[Any]]:
    """Return the relationships to parts by name, those of subclasses included."""
    return {relation.key: relation for one in mapper.self_and_descendants for relation in one.relationships}


def _tables(mapper: Mapper[Any], path: str, parent: frozenset[str] = frozenset()) -> Iterator[tuple[str, Any]]:
    """Yield the path and table of the root and its parts, and the names of the foreign key to the parent."""
    yield path, (mapper.local_table, parent)
    for relation in _relations(mapper).values():
        names = frozenset(column.name for column in relation.remote_side)
        yield from _tables(relation.mapper, f"{path}.{relation.key}" if path else relation.key, names)


def _value_objects(mapper: Mapper[Any], path: str) -> set[str]:
    """Return the attributes, of the root or of the parts at a path, that hold value objects in several columns."""
    for name in path.split(".") if path else ():
        mapper = _relations(mapper)[name].mapper
    return {prop.key for prop in mapper.composites}


def _marker_of(names: tuple[str, ...]) -> str:
    """Return the name of the column that :func:`unique_where` adds."""
    return "_".join((*names, "is_unique"))


def unique_where(table: Table, *names: str, where: Mapping[str, object]) -> None:
    """Make columns unique among the rows in which other columns have certain values, for ``Unique(where=...)``.

    MariaDB and MySQL have no partial indexes. So every database gets a generated column, which is part of the unique
    constraint. It is 1 in these rows and NULL in the others.
    """
    table.append_column(Column(_marker_of(names), Integer, Computed(_mark(table, where), persisted=True)))
    table.append_constraint(UniqueConstraint(*names, _marker_of(names)))


def _mark(table: Table, where: Mapping[str, object]) -> ColumnElement[Any]:
    """Return an expression that is 1 in the rows in which columns have certain values, and NULL in the others."""
    conditions = [table.c[name].is_(None) if value is None else table.c[name] == value for name, value in where.items()]
    return case((and_(*conditions), 1))


def _unique(
    repository: type[Repository[Any, Any]], table: Table, path: str, parent: frozenset[str]
) -> Iterator[Constraint]:
    found = {frozenset(column.name for column in one.columns): one for one in _unique_constraints(table)}
    for one in found.values():
        if _is_special(one):
            _refuse(repository, f"{one.name} is deferrable, partial or special: leave that out, or use unique_where()")
    for unique in (one for one in repository.unique if one.path == path):
        names = (*sorted(parent if unique.per_parent else ()), *unique.names)
        marker = {_marker_of(names)} if unique.where else set()
        constraint = found.pop(frozenset({*names, *marker}), None)
        if constraint is None:
            named = ", ".join(map(repr, names))
            advice = f"unique_where({table.name}, {named}, where=...)" if marker else f"UniqueConstraint({named})"
            _refuse(repository, f"the table {table.name} has no constraint for {unique}: add {advice}")
        for name in marker:
            computed = table.c[name].computed
            if computed is None or not computed.sqltext.compare(_mark(table, dict(unique.where))):
                _refuse(repository, f"{table.name}.{name} has another condition than {unique}: give both the same")
        columns = tuple(column for column in constraint.columns if column.name not in marker)
        yield Constraint(str(constraint.name), columns, unique, table.c[min(marker)] if marker else None)
    for others in found:
        paths = ", ".join(repr(f"{path}.{name}" if path else name) for name in sorted(others - parent))
        advice = f"add Unique({paths}, {'per_parent=True, ' if others & parent else ''}error=...)"
        if not path and not others <= fields_dict(repository.aggregate).keys():
            advice = "a port declares unique values of the base class alone, so leave it out"
        _refuse(repository, f"{table.name} is unique in {', '.join(sorted(others))}: {advice}")


def _unique_constraints(table: Table) -> Iterator[UniqueConstraint | Index]:
    yield from (one for one in table.constraints if isinstance(one, UniqueConstraint))
    yield from (one for one in table.indexes if one.unique)


def _is_special(one: UniqueConstraint | Index) -> bool:
    if isinstance(one, Index) and [*one.expressions] != [*one.columns]:
        return True
    options = one.dialect_kwargs.values()  # a condition such as ``n == 1`` is false in a boolean context
    return bool(getattr(one, "deferrable", None)) or any(value is not None and value is not False for value in options)


def _references(
    repository: type[Repository[Any, Any]], table: Table, path: str, parent: frozenset[str]
) -> Iterator[Constraint]:
    keys = {tuple(key.column_keys): key for key in table.foreign_key_constraints if parent != {*key.column_keys}}
    for key in keys.values():
        if key.deferrable:
            _refuse(repository, f"{key.name} is deferrable, so it would be checked at the commit: leave that out")
    for reference in (one for one in repository.references if one.path == path):
        if (reference.name,) not in keys:
            _refuse(repository, f"the table {table.name} has no foreign key for {reference}: add one")
        key = keys.pop((reference.name,))
        [element] = key.elements
        if _target(key) is not reference.to or not element.column.primary_key:
            where = element.target_fullname
            _refuse(repository, f"{table.name}.{reference.name} refers to {where}, not to the id as in {reference}")
        yield Constraint(str(key.name), tuple(key.columns), reference)
    for names in keys:
        named = repr(f"{path}.{names[0]}" if path else names[0])
        advice = (
            f"add Reference({named}, to=..., missing=..., in_use=...)" if len(names) == 1 else "refer to an id alone"
        )
        _refuse(repository, f"{table.name} has a foreign key of {', '.join(names)}: {advice}")


def _target(key: ForeignKeyConstraint) -> type | None:
    return next(
        (mapper.class_ for mapper in mappers() if mapper.local_table is key.referred_table and not mapper.inherits),
        None,
    )
