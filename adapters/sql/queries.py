"""Turn a query of a port into SQL. Each shape of a query is built once: that costs more than most of the rest."""

from __future__ import annotations

import operator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, String, and_, bindparam, inspect, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from adapters.sql.types import Key
from domain.query import COMPARISONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.query import Query


def parameters_of(query: Query) -> Mapping[str, Any]:
    """Return the values for the statement of a query."""
    named = {f"value_{place}": one.value for place, one in enumerate(query.where) if one.value is not None}
    if query.limit is not None:
        named["limit"] = query.limit
    if query.after is not None:
        value, id = (None, query.after) if query.key == "id" else query.after
        named |= {"after": id} if value is None else {"after": id, "after_value": value}
    return {name: list(value) if isinstance(value, frozenset) else value for name, value in named.items()}


def statement_of(kind: type, query: Query) -> Select[Any]:
    """Return the statement of a query."""
    where = tuple((one.attribute, one.operator, one.value is None) for one in query.where)
    after = query.after is not None and ("id" if query.key == "id" else "None" if query.after[0] is None else "value")
    return _statement(kind, where, query.order_by, query.limit is not None, after)


@lru_cache(maxsize=1000)
def _statement(
    kind: Any, where: tuple[tuple[str, str, bool], ...], order_by: str, is_limited: bool, after: str | bool
) -> Select[Any]:
    columns = inspect(kind).columns
    conditions = [_comparison(columns[one[0]], place, one[1], one[2]) for place, one in enumerate(where)]
    statement = select(kind).where(*conditions)
    key, id, is_reverse = columns[order_by.removeprefix("-")], _comparable(columns["id"]), order_by.startswith("-")
    order: list[ColumnElement[Any]] = [id]
    if key is not columns["id"]:
        order = [*([key.is_not(None)] if key.nullable else []), _comparable(key), id]
    statement = statement.order_by(*[one.desc() if is_reverse else one for one in order])
    if after:
        follows = operator.lt if is_reverse else operator.gt
        statement = statement.where(_follows(key, id, str(after), follows, is_reverse))
    return statement.limit(bindparam("limit")) if is_limited else statement


def _comparison(column: Any, place: int, operator: str, is_null: bool) -> Any:
    if is_null:
        return column.is_(None) if operator == "==" else column.is_not(None)
    value: Any = bindparam(f"value_{place}", type_=column.type, expanding=operator == "in")
    if operator == "in":
        return column.in_(value)
    return COMPARISONS[operator](column if operator in ("==", "!=") else _comparable(column), value)


def _follows(key: Any, id: Any, after: str, follows: Any, is_reverse: bool) -> ColumnElement[bool]:
    """Return the condition for the rows after a place. NULL comes first."""
    behind: ColumnElement[bool] = follows(id, bindparam("after", type_=id.type))
    if after == "id":
        return behind
    if after == "None":
        same = and_(key.is_(None), behind)
        return same if is_reverse else or_(same, key.is_not(None))
    value = bindparam("after_value", type_=key.type)
    further = [follows(_comparable(key), value), and_(key == value, behind)]
    return or_(*further, key.is_(None)) if is_reverse else or_(*further)


def _comparable(column: Any) -> Any:
    return by_code_point(column) if isinstance(column.type, String) or _is_text(column.type) else column


def _is_text(kind: Any) -> bool:
    return isinstance(getattr(kind, "impl", None), String) and not isinstance(kind, Key)


class by_code_point(FunctionElement[Any]):  # noqa: N801  # a function of SQL
    """A text column that compares by code point. In PostgreSQL, a column has the collation of the database."""

    inherit_cache = True


@compiles(by_code_point)
def _plain(element: Any, compiler: Any, **options: Any) -> str:
    compiled: str = compiler.process(element.clauses, **options)
    return compiled


@compiles(by_code_point, "postgresql")
def _with_collation(element: Any, compiler: Any, **options: Any) -> str:
    return f'{_plain(element, compiler, **options)} COLLATE "C"'
