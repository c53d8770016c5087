"""The situation of a database: what it holds of this program's tables, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen
from sqlalchemy import column, inspect, select, table

import adapters.sql.unit_of_work  # noqa: F401  # loads every aggregate's table
from adapters.sql.mapping import RETIRED, VERSION_TABLE, metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from sqlalchemy import Column, Connection, Inspector

Kind = Literal[
    "ready",
    "new",
    "behind",
    "newer",
    "accepted",
    "unfit",
    "unversioned",
    "incomplete",
    "empty",
    "foreign",
    "other file",
]
"""The situations. docs/migrations.md says what each of them means."""

_STANDS = "stands at revision {found}, and this program needs revision {needed}"
_OWN_NAME = "if another program shares the database, set VERSION_TABLE in adapters/sql/mapping.py to a name of its own"

# The problem in words, and what to do next.
_WORDS: dict[Kind, tuple[str, str]] = {
    "ready": ("stands at revision {found}, and has all tables of this program", ""),
    "new": (
        "has no tables of this program yet, and this program needs revision {needed}",
        "run `app db upgrade`",
    ),
    "behind": (_STANDS, "run `app db upgrade`"),
    "newer": (
        _STANDS,
        (
            "it was made by a newer version of this program: use that one, or set DATABASE_ACCEPT_NEWER=1 if that one"
            f" has only added to the tables (docs/migrations.md); {_OWN_NAME}"
        ),
    ),
    "accepted": (
        "stands at the newer revision {found}, which has all that this program uses",
        "change the tables by the newer version of this program",
    ),
    "unfit": (
        "stands at revision {found}, but its tables do not fit this program's revision {needed} ({names})",
        (
            "if a newer version of this program made them, use that one; if another program did, set DATABASE_URL to"
            " another database; if columns were lost, restore them from a backup"
        ),
    ),
    "unversioned": (
        f"has tables named as this program's ({{names}}), but no revision in {VERSION_TABLE}",
        (
            "if they are this program's, run `app db stamp REVISION` with the revision that they match; if not, set"
            " DATABASE_URL to another database"
        ),
    ),
    "incomplete": (
        "stands at revision {found}, but lacks tables or columns of it ({names})",
        (
            f"if one is new, write its migration; {_OWN_NAME}; if one was lost, restore it from a backup, or run"
            " `app db stamp` with the revision before it, and `app db upgrade`"
        ),
    ),
    "empty": (
        "stands at revision {found}, but has no tables of this program ({names})",
        (
            f"{_OWN_NAME}; if the tables were lost, restore them from a backup, or run `app db stamp base` and"
            " `app db upgrade`"
        ),
    ),
    "foreign": (
        f"has revision {{found}} in {VERSION_TABLE}, which is not one of this program's",
        f"{_OWN_NAME}, and run `app db upgrade`",
    ),
    "other file": ("is a file of another program ({names})", "set DATABASE_URL to a file of this program's own"),
}


@frozen
class Situation:
    """The revision that was ``found`` and the one that is ``needed``. ``None``: no revision."""

    kind: Kind
    found: str | None
    needed: str | None
    _names: Sequence[str]

    @property
    def problem(self) -> str:
        """The situation in words, to follow the name of the database."""
        found, needed = _listed([self.found or "base"]), self.needed or "base"
        return _WORDS[self.kind][0].format(found=found, needed=needed, names=_listed(self._names))

    @property
    def advice(self) -> str:
        """What to do next. Empty when nothing is to be done."""
        if self.kind == "empty" and self.needed is None:  # this program has no migration
            return "write the first migration: `alembic revision --autogenerate -m 'create tables'`"
        return _WORDS[self.kind][1]

    @property
    def is_usable(self) -> bool:
        """Whether this program can work with the tables."""
        return self.kind in ("ready", "accepted")

    @property
    def is_ours(self) -> bool:
        """Whether this program may change the tables or set their revision."""
        return self.kind not in ("newer", "accepted", "unfit", "foreign", "other file")


def situation_of(
    connection: Connection, known: Sequence[str], *, mentions: Callable[[str], bool], accept_newer: bool = False
) -> Situation:
    """Return the situation of a connection's database. Change nothing.

    ``known`` are the program's revisions. ``mentions`` says whether one of its migrations names a table or column.
    """
    seen = inspect(connection)
    names = set(seen.get_table_names())
    there: list[str] = []
    missing: list[str] = []
    for key, one in sorted(metadata.tables.items()):
        found = (one.schema is None and one.name in names) or seen.has_table(one.name, one.schema)
        (there if found else missing).append(key)
    revision, needed = _revision(connection, seen, names), max(known, default=None)
    lacking = [*_lacking(seen, there)]
    strange = _strange(there, lacking, mentions, is_newest=needed in (revision, *known[:1]))
    if not there and revision in known and revision != needed:
        there = sorted(filter(mentions, names - {VERSION_TABLE}))  # they have other names by now
    if connection.dialect.name == "sqlite" and needed is not None and (not there or (strange and revision is None)):
        names.update(seen.get_view_names())
        others = sorted(names - ({VERSION_TABLE} if revision in (None, *known) else set()))
        if others:
            return Situation("other file", revision, needed, others)
    if revision is not None and revision not in known:
        is_newer = there and revision.isdecimal() and int(revision) > int(needed or 0)
        misfits = [*_misfits(seen, there, missing, lacking)] if is_newer and accept_newer else []
        newer: Kind = "newer" if not accept_newer else "unfit" if misfits else "accepted"
        return Situation(newer if is_newer else "foreign", revision, needed, misfits)
    if strange:
        return Situation("unfit", revision, needed, [f"no column {one}" for one in strange])
    if revision is None and needed is not None:
        return Situation("unversioned" if there else "new", revision, needed, there)
    if missing and not there:
        return Situation("empty", revision, needed, missing)
    lacks = [*missing, *lacking]
    return Situation("behind" if revision != needed else "incomplete" if lacks else "ready", revision, needed, lacks)


def _revision(connection: Connection, seen: Inspector, names: Collection[str]) -> str | None:
    if VERSION_TABLE not in names and not seen.has_table(VERSION_TABLE):
        return None
    if "version_num" not in {one["name"] for one in seen.get_columns(VERSION_TABLE)}:
        return "(no column version_num)"
    query: Any = select(column("version_num")).select_from(table(VERSION_TABLE))
    found = connection.execute(query).scalars()
    return ", ".join(sorted(one if isinstance(one, str) else f"{one} (not a text)" for one in found)) or None


def _lacking(seen: Inspector, there: Iterable[str]) -> Iterator[str]:
    """Yield the columns that this program uses and the tables do not have."""
    for key in there:
        found = {each["name"] for each in seen.get_columns(metadata.tables[key].name, metadata.tables[key].schema)}
        yield from (f"{key}.{each.name}" for each in _used(key) if each.name not in found)


def _used(key: str) -> Iterable[Column[Any]]:
    return (one for one in metadata.tables[key].columns if RETIRED not in one.info)


def _strange(
    there: Iterable[str], lacking: Sequence[str], mentions: Callable[[str], bool], *, is_newest: bool
) -> Sequence[str]:
    """Return the columns whose lack shows that another program made the tables.

    The newest revision has every column that a migration made. An older one has some of them, besides the keys.
    """
    others = {f"{key}.{each.name}" for key in there for each in _used(key) if not each.primary_key}
    if is_newest or others <= {*lacking}:
        return [one for one in lacking if mentions(one.rpartition(".")[2])]
    return []


def _misfits(seen: Inspector, there: Iterable[str], missing: Iterable[str], lacking: Iterable[str]) -> Iterator[str]:
    """Yield what this program would fail at, as far as tables and columns show it."""
    yield from (f"no table {key}" for key in missing)
    yield from (f"no column {one}" for one in lacking)
    for key in there:
        one = metadata.tables[key]
        known = {each.name for each in one.columns}
        for new in seen.get_columns(one.name, one.schema):
            is_filled = new["nullable"] or new["default"] is not None or new.get("computed") or new.get("identity")
            if new["name"] not in known and not is_filled:
                yield f"{key}.{new['name']} is NOT NULL without a default"  # a row of this program has no value for it


def _listed(names: Iterable[str]) -> str:
    """Return names for a message: at most three of them, escaped."""
    shown = [ascii(one)[1:-1] for one in names]
    return ", ".join([*shown[:3], *(["..."] if shown[3:] else [])])
