"""Promise 11 for asyncio, on every storage: an `await` inside of a unit's block freezes no other task."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from domain.errors import UnitOfWorkMisuse
from tests.contract.sample import Kit


@pytest.mark.promise(11)
def test_a_task_does_not_wait_for_another_one(kit: Kit[Any]) -> None:
    """A task never waits for the lock of another task: it is refused first, and the first task stores its work."""

    async def program() -> None:
        go_on = asyncio.Event()

        async def first() -> None:
            with kit.unit() as uow:
                kit.of(uow).add(kit.sample.make("ann"))
                kit.of(uow).page()
                await go_on.wait()
                uow.commit()

        task = asyncio.create_task(first())
        await asyncio.sleep(0)
        with pytest.raises(UnitOfWorkMisuse, match=r"`await asyncio\.to_thread\(use_case, \.\.\.\)`"):
            kit.stored("ann")
        go_on.set()
        await task

    asyncio.run(program())
    assert kit.words() == ["ann"]


@pytest.mark.promise(11)
def test_units_nest_in_one_task(kit: Kit[Any]) -> None:
    """Units of one task nest as in a program without a loop."""
    kit.stored("ann")

    async def program() -> None:
        with kit.unit() as uow:
            assert len(kit.of(uow).page().items) == 1
            await asyncio.sleep(0)
            assert kit.words() == ["ann"]

    asyncio.run(program())


@pytest.mark.promise(11)
@pytest.mark.parametrize("cancelled", [True, False])
def test_the_next_task_has_what_the_last_one_held(kit: Kit[Any], cancelled: bool) -> None:
    """The next task gets the locks of the last one, whether that one was cancelled or ended."""

    async def program() -> None:
        go_on = asyncio.Event()

        async def first() -> None:
            with kit.unit() as uow:
                kit.of(uow).add(kit.sample.make("ann"))
                kit.of(uow).page()
                await go_on.wait()
                uow.rollback()

        task = asyncio.create_task(first())
        await asyncio.sleep(0)
        if cancelled:
            task.cancel()
        go_on.set()
        await asyncio.wait([task])
        assert task.cancelled() is cancelled
        kit.stored("ann")

    asyncio.run(program())
    assert kit.words() == ["ann"]
