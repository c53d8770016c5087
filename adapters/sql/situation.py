"""The situation of a database: what it holds of this program's tables, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen
from sqlalchemy import column, inspect, select, table

import adapters.sql.unit_of_work  # noqa: F401  # loads every aggregate's table
from adapters.sql.mapping import RETIRED, VERSION_TABLE, metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from sqlalchemy import Connection, Inspector

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
            " has only added to the tables (docs/migrations.md)"
        ),
    ),
    "accepted": (
        "stands at the newer revision {found}, which has all that this program uses",
        "change the tables by the newer version of this program",
    ),
    "unfit": (f"{_STANDS}, which it does not fit ({{names}})", "use a newer version of this program"),
    "unversioned": (
        f"has tables named as this program's ({{names}}), but no revision in {VERSION_TABLE}",
        (
            "if they are this program's, run `app db stamp REVISION` with the revision that they match; if not, set"
            " DATABASE_URL to another database"
        ),
    ),
    "incomplete": (
        "stands at revision {found}, but lacks tables of it ({names})",
        (
            "if one is new, write its migration; if it was lost, restore it from a backup, or run `app db stamp` with"
            " the revision before it, and `app db upgrade`"
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

    ``known`` are the program's revisions. ``mentions`` says whether one of its migrations names a table.
    """
    seen = inspect(connection)
    names = set(seen.get_table_names())
    there: list[str] = []
    missing: list[str] = []
    for key, one in sorted(metadata.tables.items()):
        found = (one.schema is None and one.name in names) or seen.has_table(one.name, one.schema)
        (there if found else missing).append(key)
    revision, needed = _revision(connection, seen, names), max(known, default=None)
    if not there and revision in known and revision != needed:
        there = sorted(filter(mentions, names - {VERSION_TABLE}))  # they have other names by now
    others = sorted(names - ({VERSION_TABLE} if revision in (None, *known) else set()))
    if others and not there and needed is not None and connection.dialect.name == "sqlite":
        return Situation("other file", revision, needed, others)
    if revision is not None and revision not in known:
        is_newer = there and revision.isdecimal() and int(revision) > int(needed or 0)
        misfits = [*_misfits(seen, missing)] if is_newer and accept_newer else []
        newer: Kind = "newer" if not accept_newer else "unfit" if misfits else "accepted"
        return Situation(newer if is_newer else "foreign", revision, needed, misfits)
    if revision is None and needed is not None:
        return Situation("unversioned" if there else "new", revision, needed, there)
    if missing and not there:
        return Situation("empty", revision, needed, missing)
    kind: Kind = "behind" if revision != needed else "incomplete" if missing else "ready"
    return Situation(kind, revision, needed, missing)


def _revision(connection: Connection, seen: Inspector, names: Collection[str]) -> str | None:
    if VERSION_TABLE not in names and not seen.has_table(VERSION_TABLE):
        return None
    query: Any = select(column("version_num")).select_from(table(VERSION_TABLE))
    return ", ".join(sorted(connection.execute(query).scalars())) or None


def _misfits(seen: Inspector, missing: Sequence[str]) -> Iterator[str]:
    """Yield what this program would fail at, as far as tables and columns show it."""
    for key, one in metadata.tables.items():
        if key in missing:
            yield f"no table {key}"
            continue
        found = {each["name"]: each for each in seen.get_columns(one.name, one.schema)}
        used = [each.name for each in one.columns if RETIRED not in each.info]
        yield from (f"no column {key}.{name}" for name in used if name not in found)
        for name in found.keys() - {each.name for each in one.columns}:
            new = found[name]
            if not (new["nullable"] or new["default"] is not None or new.get("computed") or new.get("identity")):
                yield f"{key}.{name} is NOT NULL without a default"  # a row of this program has no value for it


def _listed(names: Iterable[str]) -> str:
    """Return names for a message: at most three of them, escaped."""
    shown = [ascii(one)[1:-1] for one in names]
    return ", ".join([*shown[:3], *(["..."] if shown[3:] else [])])
