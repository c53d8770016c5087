"""The aggregates of the torture: users, or products with parts at two levels."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import frozen

from adapters.fake.database import FakeDatabase
from domain.user import User, UsernameTaken, UserNotFound
from entrypoints.bootstrap import bootstrap
from tests.contract.allocation import (
    Batch,
    Note,
    OrderLine,
    Product,
    ProductNotFound,
    SkuTaken,
    allocation_metadata,
)
from tests.contract.shop import FakeShop, SqlShop
from tests.storages import engine_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


@frozen
class Subject:
    """An aggregate with a unique name and a value: how units on it are made, and what they do.

    ``open`` yields the maker of units for a URL, and makes missing tables.
    """

    open: Callable[[str], AbstractContextManager[Callable[..., Any]]]
    repository: Callable[[Any], Any]
    create: Callable[[str, str], Any]
    find: Callable[[Any, str], Any]
    name: Callable[[Any], str]
    value: Callable[[Any], str]
    change: Callable[[Any, str], None]
    taken: type[Exception]
    not_found: type[Exception]


@contextmanager
def _users(url: str) -> Iterator[Callable[..., Any]]:
    with bootstrap(url) as application:
        yield application.unit_of_work


@contextmanager
def _products(url: str) -> Iterator[Callable[..., Any]]:
    if url.startswith("memory:"):
        yield partial(FakeShop, FakeDatabase())
        return
    with bootstrap(url) as application:
        engine = engine_of(application)
        allocation_metadata.create_all(engine)
        yield partial(SqlShop, engine)


def _new_product(sku: str, value: str) -> Product:
    line = OrderLine(order=value, quantity=1)
    batch = Batch(reference=value, quantity=1, allocations={line})
    return Product(sku=sku, batches=[batch], notes=[Note(text=value)])


def _value_of(product: Product) -> str:
    """Return the value that root and parts share. Raises ``AssertionError`` if it was read in pieces."""
    (batch,) = product.batches
    (line,) = batch.allocations
    (note,) = product.notes
    assert batch.reference == line.order == note.text, f"torn: {product}"
    return batch.reference


def _change_product(product: Product, value: str) -> None:
    """Change one part in place, replace a frozen part, and sometimes replace a part by a new one."""
    (batch,) = product.batches
    batch.reference = value
    batch.allocations = {OrderLine(order=value, quantity=1)}
    if product.version % 2:
        product.notes[0].text = value
    else:
        product.notes[:] = [Note(text=value)]


USERS = Subject(
    open=_users,
    repository=lambda uow: uow.users,
    create=User.create,
    find=lambda uow, name: uow.users.get_by_username(name),
    name=lambda user: user.username,
    value=lambda user: user.email,
    change=lambda user, value: user.change_email(value),
    taken=UsernameTaken,
    not_found=UserNotFound,
)
PRODUCTS = Subject(
    open=_products,
    repository=lambda uow: uow.products,
    create=_new_product,
    find=lambda uow, sku: uow.products.get_by_sku(sku),
    name=lambda product: product.sku,
    value=_value_of,
    change=_change_product,
    taken=SkuTaken,
    not_found=ProductNotFound,
)
