"""Promise 11: misuse that only few callers try."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from attrs import fields

from domain.errors import UnitOfWorkMisuse
from tests.contract.sample import Kit


@pytest.mark.promise(11)
def test_a_source_that_ends_the_unit_is_refused(kit: Kit[Any]) -> None:
    """A bulk whose source ends the unit is refused. Nothing is stored after the end or left for the next block."""
    uow = kit.unit()

    def source(end: Callable[[], None]) -> Iterator[Any]:
        yield kit.sample.make("ann")
        end()
        yield kit.sample.make("bob")

    for end in (uow.rollback, uow.commit):
        with uow, pytest.raises(UnitOfWorkMisuse, match="leave the block"):
            kit.of(uow).add_many(source(end))
    with uow:
        kit.of(uow).add(kit.sample.make("cid"))
        uow.commit()
    assert kit.words() == ["cid"]


@pytest.mark.promise(11)
def test_a_subclass_is_no_aggregate_of_it(kit: Kit[Any]) -> None:
    """A subclass is no aggregate of the repository: it has no mapping, so a database could not store it."""
    ann = kit.sample.make("ann")
    kind = type(ann)
    special = type("Special", (kind,), {})(**{one.name: getattr(ann, one.name) for one in fields(kind)})
    held = kit.of(kit.unit()).aggregate
    with kit.unit() as uow, pytest.raises(TypeError, match=f"holds {held.__name__} objects"):
        kit.of(uow).add(special)


@pytest.mark.promise(11, 15)
def test_another_thread_may_leave_the_block(kit: Kit[Any]) -> None:
    """A block that another thread leaves, as that of a generator, is a mistake but closes: no lock stays."""
    id = kit.stored("ann").id
    uow = kit.unit()

    def change() -> Generator[None, None, None]:
        with uow:
            kit.change(kit.of(uow).get(id))
            list(kit.of(uow).stream())
            yield

    changing = change()
    next(changing)
    with ThreadPoolExecutor() as pool, pytest.raises(UnitOfWorkMisuse, match="opened by another thread"):
        pool.submit(changing.close).result()
    with uow:
        kit.change(kit.of(uow).get(id))
        uow.commit()
