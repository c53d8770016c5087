"""The unit of work over a fake database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.fake.answered_requests import FakeAnsweredRequestRepository
from adapters.fake.database import FakeDatabase
from adapters.fake.session import FakeSession
from adapters.fake.users import FakeUserRepository
from domain.errors import StorageUnavailable, TransactionLost
from service_layer.savepoint import Savepoint
from service_layer.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from typing import Self

    from domain.aggregate import Aggregate


class FakeUnitOfWork(UnitOfWork):
    """A unit of work over ``database``, by default a new fake one. It keeps every promise of the SQL one."""

    def __init__(self, database: FakeDatabase | None = None, *, read_only: bool = False) -> None:
        super().__init__(read_only=read_only)
        self.session = FakeSession(FakeDatabase() if database is None else database)
        self.answered_requests = FakeAnsweredRequestRepository(self, self.session)
        self.users = FakeUserRepository(self, self.session)

    def __enter__(self) -> Self:
        super().__enter__()
        self.session.begin()
        return self

    def holds(self, aggregate: Aggregate[Any]) -> bool:
        return self.session.holds(aggregate)

    def _has_unwritten(self) -> bool:
        return self.session.has_unwritten()

    def _flush(self) -> None:
        self.session.flush(self._versions)

    def _insert(self, aggregate: Aggregate[Any]) -> None:
        self.session.add(aggregate)

    def _delete(self, aggregate: Aggregate[Any]) -> None:
        self.session.delete(aggregate)

    def _commit(self) -> None:
        if self._has_unwritten():
            self._flush()
        self.session.commit()

    def _roll_back(self) -> None:
        self.session.end()

    def _failed(self, error: BaseException) -> BaseException:
        if isinstance(error, StorageUnavailable | TransactionLost):
            self._loss = error
        if self._versions.depth:
            self.session.release_locks(whole=self._loss is not None)
        else:
            self.session.end()
        return error

    def _begin_savepoint(self) -> Savepoint:
        self.session.begin_savepoint()
        return _FakeSavepoint(self.session)


class _FakeSavepoint(Savepoint):
    def __init__(self, session: FakeSession) -> None:
        self._session = session

    def release(self) -> None:
        self._session.release_savepoint()

    def undo(self, written: list[tuple[Aggregate[Any], int]]) -> None:
        self._session.undo_savepoint(written)
