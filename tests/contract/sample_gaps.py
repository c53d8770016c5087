"""What a sample leaves out: parts and unique values of the aggregate that no test would touch.

Each function yields a gap as two texts: what is missing, and what to write. The mapping lists the parts. So a
collection is known even if it is always empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen
from sqlalchemy import inspect

from tests.contract.graphs import exact, twin
from tests.contract.sample import STATES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Mapper

    from domain.constraints import Unique
    from domain.repository import Repository
    from tests.contract.sample import Sample

Gap = tuple[str, str]


@frozen
class Place:
    """An attribute that holds parts: its path from the root, such as ``"batches.lines"``, and what it holds."""

    path: str
    mapper: Mapper[Any]
    is_collection: bool


def places(mapper: Mapper[Any] | None, above: tuple[Place, ...] = ()) -> Iterator[Place]:
    """Yield where the objects of a mapped class hold parts, at each level."""
    for relation in mapper.relationships if mapper else ():
        if relation.mapper not in [one.mapper for one in above]:
            path = ".".join([*(one.path.rpartition(".")[2] for one in above), relation.key])
            place = Place(path, relation.mapper, bool(relation.uselist))
            yield place
            yield from places(relation.mapper, (*above, place))


def parts_not_made(made: Any) -> Iterator[Gap]:
    """Yield the collections that are empty in the result of ``make``."""
    for place in places(_mapper(type(made))):
        if place.is_collection and not any(held for _, held in _holders(made, place.path)):
            yield (
                f"{type(made).__name__} holds parts in {place.path!r}, which make('ann') leaves empty",
                "put at least one part into each list and set",
            )


def parts_not_edited(sample: Sample[Any], made: Any) -> Iterator[Gap]:
    """Yield where no edit changes the parts, and that no part moves between aggregates."""
    all_places = list(places(_mapper(type(made))))
    edited = _edited(sample, made, [place.path for place in all_places])
    for place in all_places:
        holds = f"{type(made).__name__} holds parts in {place.path!r}"
        if place.path not in edited:
            write = "write edits={...}, functions that add, change, move and remove a part there"
            yield f"{holds}, and no edit changes them, with any number from 0 to 5", write
        if place.is_collection and sample.moves is None:
            write = "write moves=..., a function that moves a part from one aggregate to another"
            yield f"{holds}, and the sample has moves=None", write


def _edited(sample: Sample[Any], made: Any, paths: list[str]) -> set[str]:
    """Return the paths where an edit changes the parts of a new or an edited aggregate."""
    found: set[str] = set()
    edited = twin(made)
    for number in (*STATES, *STATES):  # the calls of _Checks.all_edits, which have raised no error
        for edit in sample.edits.values():
            for one in (twin(made), edited):
                before = {path: _holders(one, path) for path in paths}
                edit(one, number)
                found |= {path for path in paths if _is_changed(before[path], _holders(one, path))}
    return found


def _is_changed(before: list[tuple[Any, Any]], after: list[tuple[Any, Any]]) -> bool:
    """Return whether an object holds other parts than before. One that is gone with its parts does not count."""
    known = {id(holder): held for holder, held in before}
    return any(known.get(id(holder), []) != held for holder, held in after)


def _holders(one: Any, path: str) -> list[tuple[Any, list[Any]]]:
    """Return the objects that can hold parts at a path, each with the values of those parts, without their parts."""
    name, _, rest = path.partition(".")
    value = getattr(one, name)
    parts = list(value) if isinstance(value, list | set) else [part for part in (value,) if part is not None]
    if rest:
        return [found for part in parts for found in _holders(part, rest)]
    looks = [_without_parts(part) for part in parts]
    return [(one, sorted(looks, key=repr) if isinstance(value, set) else looks)]


def _without_parts(part: Any) -> dict[str, Any]:
    inner = {place.path for place in places(_mapper(type(part)))}
    return {name: value for name, value in exact(part).items() if name not in inner}


def unique_left_out(sample: Sample[Any], repository: Repository[Any]) -> Iterator[Gap]:
    """Yield the unique values that the port declares and the sample lacks.

    The sample may give a value another name if its error is the right one. Values that are unique per parent are left
    out, since no two aggregates share them.
    """
    declared = {", ".join(paths(one)): one for one in repository.unique if not one.per_parent}
    renamed = [unique.taken for unique in sample.unique if unique.attribute not in declared]
    named = [unique.attribute for unique in sample.unique]
    for name, unique in declared.items():
        if name in named:
            continue
        if unique.error in renamed:
            renamed.remove(unique.error)
            continue
        yield (
            f"{type(repository).__name__} declares {name!r} unique, and the sample has no such unique value",
            f"add UniqueValue({name!r}, ...) with {unique.error.__name__} to unique",
        )


def paths(unique: Unique) -> list[str]:
    """Return the paths of the attributes that are unique together."""
    return [f"{unique.path}.{name}" if unique.path else name for name in unique.names]


def _mapper(kind: type) -> Mapper[Any] | None:
    """Return how a class is mapped, or ``None``."""
    found: Mapper[Any] | None = inspect(kind, raiseerr=False)
    return found
