"""A server of asyncio works with units of work: no client waits forever, and each one gets an answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from domain.errors import ConcurrentChange, UnitOfWorkMisuse
from service_layer.retrying import retrying
from tests.contract.members import Member, create_member, stored_names, written
from tests.storages import Storage

CLIENTS = 40
SECONDS = 60.0

Answer = Callable[[str], Awaitable[str]]


def bounded(program: Coroutine[Any, Any, list[str]]) -> list[str]:
    """Run a program in a new loop and return its result. Fail when it takes too long, frozen or not."""
    results: list[list[str]] = []
    # No pool: its end would wait for a frozen thread.
    thread = threading.Thread(target=lambda: results.append(asyncio.run(program)), daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert not thread.is_alive(), "the server is frozen"
    [result] = results
    return result


async def answers(answer: Answer, asked: list[str]) -> list[str]:
    """Start a server that answers lines. Return its answers to clients that all ask at the same time."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readline()).decode().strip()
        writer.write((await answer(line)).encode() + b"\n")
        await writer.drain()
        writer.close()

    async def client(line: str) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(line.encode() + b"\n")
        answered = (await reader.readline()).decode().strip()
        writer.close()
        await writer.wait_closed()
        return answered

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        return await asyncio.gather(*map(client, asked))


@pytest.mark.promise(11)
def test_an_await_inside_a_unit_freezes_no_server(storage: Storage) -> None:
    """An await inside a unit freezes no server: all clients want one name, and each gets an answer.

    The first awaits in its block until the others have a clear error.
    """

    async def program() -> list[str]:
        refused: list[str] = []
        others_answered = asyncio.Event()

        async def answer(name: str) -> str:
            try:
                with storage.unit() as uow:
                    uow.members.add(Member.create(name, f"{name}@example.com"))
                    written(uow)
                    await others_answered.wait()
                    uow.commit()
            except (UnitOfWorkMisuse, ConcurrentChange) as error:  # the latter after waiting in vain for a lock
                refused.append(str(error))
                if len(refused) == CLIENTS - 1:
                    others_answered.set()
                return str(error)
            return "created"

        return await answers(answer, ["ann"] * CLIENTS)

    answered = bounded(program())
    assert answered.count("created") == 1
    assert CLIENTS - 1 == sum("call the use case by `await asyncio.to_thread(" in line for line in answered)
    assert stored_names(storage) == ["ann"]


@pytest.mark.promise(11)
def test_use_cases_in_threads_answer_every_client(storage: Storage) -> None:
    """Use cases in threads answer every client, with a unit of work for each of them."""

    async def answer(name: str) -> str:
        uow = storage.unit()
        # Retried, since a thread on a busy machine may lose its turn.
        member = await asyncio.to_thread(retrying, create_member, name, f"{name}@example.com", uow)
        return f"{member.name} {member.email}"

    names = [f"member{number:02}" for number in range(CLIENTS)]
    assert [f"{name} {name}@example.com" for name in names] == bounded(answers(answer, names))
    assert stored_names(storage) == names
