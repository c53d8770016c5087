"""The composition root: the one module that knows the adapters, and puts the application together."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from attrs import define, evolve

from domain.errors import ConfigurationError
from entrypoints.config import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

    from adapters.sql.schema import Schema
    from service_layer.unit_of_work import UnitOfWork

# The adapters are imported inside the functions, so that an application on the fake never loads SQLAlchemy.


@define(eq=False)
class Application:
    """The application on one storage: the source of units of work. A context manager that closes itself."""

    _new_unit: Callable[..., UnitOfWork]
    _close: Callable[[], None]

    def unit_of_work(self, *, read_only: bool = False) -> UnitOfWork:
        """Return a new unit of work; cheap, so make one for each request, job or thread."""
        return self._new_unit(read_only=read_only)

    def close(self) -> None:
        """Give back all connections; nothing may be used afterwards."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def bootstrap(database_url: str | None = None) -> Application:
    """Return the application on ``database_url``, or on the environment's ``DATABASE_URL``, or on a local SQLite file.

    An SQLite database is brought up to date, and made where it is missing. Raises
    :class:`~domain.errors.SchemaMismatch` when the tables are not those of this program,
    :class:`~domain.errors.StorageUnavailable` when it cannot be reached, another :class:`~domain.errors.StorageError`
    when it is no database, and :class:`~domain.errors.ConfigurationError` for a URL that cannot be used.
    """
    settings = _settings(database_url)
    if _is_fake(settings):
        from adapters.fake.database import FakeDatabase
        from adapters.fake.unit_of_work import FakeUnitOfWork

        return Application(partial(FakeUnitOfWork, FakeDatabase(settings.database_timeout)), lambda: None)
    from adapters.sql.engine import make_engine
    from adapters.sql.schema import Schema
    from adapters.sql.unit_of_work import SqlUnitOfWork

    engine = make_engine(settings.database_url, settings.database_timeout, ping=settings.database_ping)
    try:
        Schema(engine, settings.database_accept_newer).make_ready()
    except BaseException:
        engine.dispose()
        raise
    return Application(partial(SqlUnitOfWork, engine), engine.dispose)


@contextmanager
def open_schema(database_url: str | None = None) -> Iterator[Schema]:
    """Give access to the tables of a database, to look at their revision and to change it; closes it afterwards.

    Raises :class:`~domain.errors.ConfigurationError` for the fake, which has no tables.
    """
    settings = _settings(database_url)
    if _is_fake(settings):
        raise ConfigurationError("memory:// has no tables to upgrade: set DATABASE_URL to a database")
    from adapters.sql.engine import make_engine
    from adapters.sql.schema import Schema

    engine = make_engine(settings.database_url, settings.database_timeout, ping=settings.database_ping)
    try:
        yield Schema(engine, settings.database_accept_newer)
    finally:
        engine.dispose()


def _settings(database_url: str | None) -> Settings:
    settings = Settings.from_environment()
    return settings if database_url is None else evolve(settings, database_url=database_url)


def _is_fake(settings: Settings) -> bool:
    return settings.database_url.startswith("memory:")
