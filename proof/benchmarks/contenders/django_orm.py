"""Django's ORM outside of a web site, in its default mode: statements outside of ``atomic()`` commit by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.db import connection, models, transaction

from proof.benchmarks.contenders.contender import PAGE, READ_BATCH, TIMEOUT, WRITE_BATCH, Contender, Stale, batches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from proof.benchmarks.people import Person


def database(url: str) -> dict[str, Any]:
    """Return Django's settings for the database of a URL."""
    if url.startswith("sqlite"):
        options = {
            "timeout": TIMEOUT,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON",
        }
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": url.removeprefix("sqlite:///"), "OPTIONS": options}
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.removeprefix("/"),
        "USER": parts.username,
        "PASSWORD": parts.password,
        "HOST": parts.hostname,
        "PORT": parts.port,
    }


def user_model() -> Any:
    """Return the model, which can be made only after the settings."""

    class User(models.Model):
        """A user."""

        id = models.UUIDField(primary_key=True)
        username = models.CharField(max_length=64, unique=True)
        email = models.CharField(max_length=254, unique=True)
        created_at = models.DateTimeField()
        active = models.BooleanField()
        version = models.IntegerField()

        class Meta:
            """The table is the one of the skeleton's migrations."""

            app_label = "benchmarks"
            db_table = "users"
            managed = False

    return User


class Django(Contender):
    """A model and its manager. Django keeps one connection for each thread."""

    def __init__(self, url: str) -> None:
        settings.configure(DATABASES={"default": database(url)}, USE_TZ=True, TIME_ZONE="UTC")
        django.setup()
        self.user = user_model()

    def end_thread(self) -> None:
        """Close the thread's connection."""
        connection.close()

    def prepare(self, person: Person) -> Any:
        """Return an instance of the model."""
        return self.user(**person._asdict())

    def get(self, username: str) -> Any:
        """Return a user by the name."""
        return self.user.objects.get(username=username)

    def create(self, user: Any) -> None:
        """Store a new user. Without ``force_insert``, Django might look for it first."""
        user.save(force_insert=True)

    def change(self, username: str, email: str) -> None:
        """Load and change a user, with the version in the condition."""
        with transaction.atomic():
            user = self.user.objects.get(username=username)
            unchanged = self.user.objects.filter(pk=user.pk, version=user.version)
            if not unchanged.update(email=email, version=user.version + 1):
                raise Stale(username)

    def page(self, after: UUID) -> Sequence[Any]:
        """Return the users whose ids follow."""
        return list(self.user.objects.filter(id__gt=after).order_by("id")[:PAGE])

    def bulk(self, users: Iterable[Any]) -> None:
        """Store many new users."""
        with transaction.atomic():
            for batch in batches(users):
                self.user.objects.bulk_create(batch, WRITE_BATCH)

    def stream(self) -> Iterator[Any]:
        """Yield all users."""
        yield from self.user.objects.order_by("id").iterator(READ_BATCH)
