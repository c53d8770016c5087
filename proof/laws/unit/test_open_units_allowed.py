"""What promise 11 does not refuse to asyncio tasks: units of one task, of ended tasks, of other threads."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import ref

import pytest

from adapters.fake.database import FakeDatabase
from proof.laws.unit.tasks import ended, first_task, leaves_open, use
from tests.contract.members import create_member, get_member
from tests.contract.shop import FakeShop, Shop

ROOT = Path(__file__).parents[3]


@pytest.mark.promise(11)
def test_units_of_one_task_nest() -> None:
    """Units of one task nest, also after it has awaited a call that opens no unit."""

    async def program() -> None:
        with FakeShop():
            use()
            await asyncio.sleep(0)
            with FakeShop():
                await asyncio.sleep(0)
                use()

    asyncio.run(program())


async def _returns(uow: Shop) -> None:
    uow.__enter__()


async def _raises(uow: Shop) -> None:
    uow.__enter__()
    raise LookupError


@pytest.mark.promise(11)
@pytest.mark.parametrize("end", [_returns, _raises, leaves_open])
def test_a_task_that_has_ended_refuses_no_other(end: Callable[[Shop], Coroutine[Any, Any, None]]) -> None:
    """A task that has ended refuses no other, even if it left its unit open."""

    async def program() -> None:
        uow = FakeShop()
        task = asyncio.create_task(end(uow))
        await asyncio.sleep(0)
        await ended(task)
        use()
        uow.__exit__(None, None, None)

    asyncio.run(program())


@pytest.mark.promise(11)
def test_a_collected_task_refuses_no_other() -> None:
    """A collected task refuses no other: a unit does not keep its task, and the task's end is not noticed."""

    async def program() -> None:
        told: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        uow = FakeShop()
        task = ref(asyncio.create_task(leaves_open(uow)))
        await asyncio.sleep(0)
        gc.collect()
        assert task() is None
        assert told == ["Task was destroyed but it is pending!"]
        use()
        uow.__exit__(None, None, None)

    asyncio.run(program())


@pytest.mark.promise(11)
def test_a_collected_unit_refuses_no_task() -> None:
    """A collected unit refuses no task: nothing else keeps a unit that was opened and thrown away."""

    async def program() -> None:
        waits = asyncio.Event()

        async def throws_away() -> None:
            FakeShop().__enter__()
            gc.collect()
            waits.set()
            await asyncio.get_running_loop().create_future()

        task = asyncio.create_task(throws_away())
        await waits.wait()
        use()
        await ended(task)

    asyncio.run(program())


@pytest.mark.promise(11)
def test_a_notebook_may_spread_a_unit_over_cells() -> None:
    """A notebook may spread a unit over cells: its loop always runs, and a cell is a task that ends before the next."""

    async def notebook() -> None:
        uow = FakeShop()

        async def cell(work: Callable[[], object]) -> None:
            work()
            await asyncio.sleep(0)

        for work in (
            uow.__enter__,
            partial(create_member, "ann", "ann@example.com", FakeShop()),
            uow.members.page,
            partial(uow.__exit__, None, None, None),
            use,
        ):
            await asyncio.create_task(cell(work))

    asyncio.run(notebook())


@pytest.mark.promise(11)
def test_threads_with_use_cases_are_not_refused() -> None:
    """Use cases in threads by `to_thread` or `run_in_executor` are not refused. The loop may open units between."""

    async def program() -> None:
        database = FakeDatabase()
        loop = asyncio.get_running_loop()

        async def store(number: int) -> str:
            use_case = partial(create_member, f"member{number}", f"member{number}@example.com", FakeShop(database))
            member = await (loop.run_in_executor(None, use_case) if number % 2 else asyncio.to_thread(use_case))
            return get_member(member.name, FakeShop(database)).name

        assert [f"member{n}" for n in range(20)] == await asyncio.gather(*map(store, range(20)))

    asyncio.run(program())


@pytest.mark.promise(11)
def test_loops_of_other_threads_do_not_count() -> None:
    """Loops of other threads do not count: their tasks go on while this thread waits."""

    async def program() -> None:
        task = await first_task(FakeShop())

        async def other() -> None:
            await ended(await first_task(FakeShop()))
            use()

        await asyncio.to_thread(asyncio.run, other())
        await ended(task)

    asyncio.run(program())


@pytest.mark.promise(11)
def test_a_unit_around_the_loop_refuses_no_task() -> None:
    """A unit around the loop refuses no task: it belongs to no task, and units of a synchronous program nest."""

    async def program() -> None:
        use()

    with FakeShop():
        asyncio.run(program())


@pytest.mark.promise(11)
@pytest.mark.parametrize(
    "asyncio_module", [None, ModuleType("asyncio")], ids=["cannot be imported", "is being imported"]
)
def test_a_unit_opens_where_asyncio_is_not_ready(
    asyncio_module: ModuleType | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit opens where asyncio is not ready: no loop can run there."""
    monkeypatch.setitem(sys.modules, "asyncio", asyncio_module)
    use()


@pytest.mark.promise(11)
def test_a_unit_does_not_import_asyncio() -> None:
    """A unit does not import asyncio: a program that does not use it starts quicker."""
    program = """
import sys
from attrs import define
from adapters.fake.repository import FakeRepository
from adapters.fake.unit_of_work import FakeUnitOfWork
from domain.aggregate import Aggregate
from domain.errors import NotFound

@define(slots=False, eq=False, kw_only=True)
class Note(Aggregate):
    pass

class Notes(FakeRepository[Note]):
    aggregate = Note
    not_found = NotFound

with FakeUnitOfWork() as uow:
    Notes(uow, uow.session).add(Note())
    uow.commit()
print("asyncio" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
