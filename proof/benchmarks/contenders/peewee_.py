"""Peewee in its default mode: statements outside of ``atomic()`` commit by themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from peewee import BooleanField, CharField, DateTimeField, IntegerField, Model, SqliteDatabase, UUIDField
from playhouse.postgres_ext import DateTimeTZField, PostgresqlExtDatabase, ServerSide

from proof.benchmarks.contenders.contender import PAGE, READ_BATCH, TIMEOUT, Contender, Stale, batches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from proof.benchmarks.people import Person


class SqliteTimeField(DateTimeField):
    """A time in UTC, which SQLite stores without a zone."""

    def db_value(self, value: datetime) -> datetime:
        """Return the time without the zone."""
        return value.astimezone(UTC).replace(tzinfo=None)

    def python_value(self, value: str) -> datetime:
        """Return the time with the zone."""
        return datetime.fromisoformat(value).replace(tzinfo=UTC)


def user_model(database_used: Any) -> Any:
    """Return the model on a database."""

    class User(Model):
        """A user."""

        id = UUIDField(primary_key=True)
        username = CharField(max_length=64, unique=True)
        email = CharField(max_length=254, unique=True)
        created_at = SqliteTimeField() if isinstance(database_used, SqliteDatabase) else DateTimeTZField()
        active = BooleanField()
        version = IntegerField()

        class Meta:
            """The table is the one of the skeleton's migrations."""

            database = database_used
            table_name = "users"

    return User


class Peewee(Contender):
    """A model. Peewee keeps one connection for each thread."""

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            pragmas = {"journal_mode": "wal", "foreign_keys": 1}
            self.database = SqliteDatabase(url.removeprefix("sqlite:///"), pragmas=pragmas, timeout=TIMEOUT)
        else:
            self.database = PostgresqlExtDatabase(url)
        # How a transaction that writes begins.
        self.mode = ("IMMEDIATE",) if self.is_sqlite else ()
        self.user = user_model(self.database)

    def end_thread(self) -> None:
        """Close the thread's connection."""
        self.database.close()

    def prepare(self, person: Person) -> Any:
        """Return an instance of the model."""
        return self.user(**person._asdict())

    def prepare_bulk(self, person: Person) -> dict[str, Any]:
        """Return a row, because ``insert_many`` needs no objects."""
        return person._asdict()

    def get(self, username: str) -> Any:
        """Return a user by the name."""
        return self.user.get(self.user.username == username)

    def create(self, user: Any) -> None:
        """Store a new user. Without ``force_insert``, Peewee would update a user that already has a key."""
        user.save(force_insert=True)

    def change(self, username: str, email: str) -> None:
        """Load and change a user, with the version in the condition."""
        with self.database.atomic(*self.mode):
            user = self.user.get(self.user.username == username)
            unchanged = (self.user.id == user.id, self.user.version == user.version)
            if self.user.update(email=email, version=user.version + 1).where(*unchanged).execute() != 1:
                raise Stale(username)

    def page(self, after: UUID) -> Sequence[Any]:
        """Return the users whose ids follow."""
        return list(self.user.select().where(self.user.id > after).order_by(self.user.id).limit(PAGE))

    def bulk(self, users: Iterable[dict[str, Any]]) -> None:
        """Store many new users."""
        with self.database.atomic(*self.mode):
            for batch in batches(users):
                self.user.insert_many(batch).execute()

    def stream(self) -> Iterator[Any]:
        """Yield all users, by a cursor of the server on PostgreSQL."""
        everyone = self.user.select().order_by(self.user.id)
        if self.is_sqlite:
            yield from everyone.iterator()
        else:
            with self.database.atomic():
                yield from ServerSide(everyone, READ_BATCH)
