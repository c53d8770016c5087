"""Promise 11 for asyncio: one task of a thread does not open a unit while another one has a unit open."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.fake.database import FakeDatabase
from domain.errors import UnitOfWorkMisuse
from proof.laws.unit.tasks import ended, first_task, leaves_open, use
from tests.contract.members import Member, create_member, export_members, get_member
from tests.contract.shop import FakeShop

REFUSAL = (
    "another asyncio task of this thread (first) has a unit of work open, and this one could wait for it for ever:"
    " write no `await` inside `with uow`, and call the use case by `await asyncio.to_thread(use_case, ...)`"
)


@pytest.mark.promise(11)
def test_a_second_task_is_refused() -> None:
    """A second task is refused while the first awaits in its block. The message says what to write.

    A note names the place.
    """

    async def program() -> None:
        task = await first_task(FakeShop())
        with pytest.raises(UnitOfWorkMisuse) as refused:
            use()
        assert str(refused.value) == REFUSAL
        assert [f"The other task: {task!r}"] == refused.value.__notes__
        await ended(task)
        use()

    asyncio.run(program())


@pytest.mark.promise(11)
def test_a_refused_unit_can_be_opened_later() -> None:
    """A refused unit can be opened later. The refusal leaves no trace in it, and the first unit keeps its work."""

    async def program() -> None:
        database = FakeDatabase()
        first, second = FakeShop(database), FakeShop(database)
        go_on, waits = asyncio.Event(), asyncio.Event()

        async def stores() -> None:
            with first:
                first.members.add(Member.create("ann", "ann@example.com"))
                waits.set()
                await go_on.wait()
                first.commit()

        task = asyncio.create_task(stores())
        await waits.wait()
        for _ in range(2):
            with pytest.raises(UnitOfWorkMisuse, match="another asyncio task"):
                use(second)
        go_on.set()
        await task
        assert get_member("ann", second).email == "ann@example.com"

    asyncio.run(program())


@pytest.mark.promise(11)
def test_a_unit_shared_by_tasks_is_refused() -> None:
    """A unit shared by tasks is refused: the waiting task gets the error, and the block is not disturbed."""

    async def program() -> None:
        uow = FakeShop()
        task = await first_task(uow)
        with pytest.raises(UnitOfWorkMisuse, match="another asyncio task"):
            use(uow)
        await ended(task)
        use(uow)

    asyncio.run(program())


@pytest.mark.promise(11)
def test_a_callback_of_the_loop_is_refused() -> None:
    """A callback of the loop is refused: it is no task, but it would also stop the loop."""

    async def program() -> None:
        task = await first_task(FakeShop())
        called: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def callback() -> None:
            try:
                use()
            except UnitOfWorkMisuse as misuse:
                called.set_result(str(misuse))
            else:
                called.set_result("opened")

        asyncio.get_running_loop().call_soon(callback)
        assert await called == REFUSAL
        await ended(task)

    asyncio.run(program())


@pytest.mark.promise(11)
def test_a_task_group_inside_a_block_is_refused() -> None:
    """Tasks of a group inside a block that open units are refused. A group around the block works."""

    async def use_case() -> None:
        use()

    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(use_case())

    async def program() -> None:
        await group()
        with pytest.raises(ExceptionGroup) as refused, FakeShop():
            await group()
        assert [UnitOfWorkMisuse] * 3 == [type(error) for error in refused.value.exceptions]
        await group()

    asyncio.run(program())


@pytest.mark.promise(11)
def test_a_generator_holds_its_unit() -> None:
    """A generator holds its unit between two members: awaiting in a loop over it is awaiting inside its block."""

    async def program() -> None:
        uow = FakeShop()
        for name in ("ann", "bob"):
            create_member(name, f"{name}@example.com", uow)

        async def streams() -> None:
            for _ in export_members(uow):
                await asyncio.sleep(0)

        task = asyncio.create_task(streams())
        await asyncio.sleep(0)
        with pytest.raises(UnitOfWorkMisuse, match="another asyncio task"):
            use()
        await task
        use()

    asyncio.run(program())


@pytest.mark.promise(11)
def test_another_threads_exit_forgets_a_unit() -> None:
    """A unit that another thread leaves is forgotten. That is a misuse, which closes it."""

    async def program() -> None:
        uow = FakeShop()
        task = asyncio.create_task(leaves_open(uow))
        await asyncio.sleep(0)
        with pytest.raises(UnitOfWorkMisuse, match="another asyncio task"):
            use()
        with ThreadPoolExecutor(1) as pool, pytest.raises(UnitOfWorkMisuse, match="another thread"):
            pool.submit(uow.__exit__, None, None, None).result()
        use()
        await ended(task)

    asyncio.run(program())


@pytest.mark.promise(11)
def test_a_stopped_loop_counts_until_closed() -> None:
    """A loop that stands still counts until it is closed: its tasks refuse those of another loop of the thread.

    Without a loop, everything is allowed.
    """

    async def program() -> None:
        use()

    loop = asyncio.new_event_loop()
    uow = FakeShop()
    loop.set_exception_handler(lambda *_: None)  # it would report the task that never ends
    task = loop.run_until_complete(first_task(uow))
    use()
    with pytest.raises(UnitOfWorkMisuse, match="another asyncio task"):
        asyncio.run(program())
    loop.close()
    assert not task.done()
    asyncio.run(program())
