"""Asyncio tasks that have units of work open, and a function that uses a unit."""

from __future__ import annotations

import asyncio
from typing import Any

from adapters.fake.unit_of_work import FakeUnitOfWork
from service_layer.unit_of_work import UnitOfWork


def use(uow: UnitOfWork | None = None) -> None:
    """Open a unit and leave it."""
    with uow or FakeUnitOfWork():
        pass


async def first_task(uow: UnitOfWork) -> asyncio.Task[None]:
    """Start a task that opens a unit and waits inside until it is cancelled. Return the task when it waits."""
    waits = asyncio.Event()

    async def first() -> None:
        with uow:
            waits.set()
            await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(first(), name="first")
    await waits.wait()
    return task


async def ended(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    await asyncio.wait([task])


async def leaves_open(uow: UnitOfWork) -> None:
    """Open a unit without a block, and wait until the task is cancelled."""
    uow.__enter__()
    await asyncio.get_running_loop().create_future()
