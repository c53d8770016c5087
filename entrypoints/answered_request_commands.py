"""The command of answered requests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from entrypoints.commands import unit_of_work
from entrypoints.printing import print_line
from service_layer import answered_requests
from service_layer.retrying import retrying

commands = typer.Typer()


@commands.command()
def purge_idempotency_keys(
    days: Annotated[int, typer.Option(metavar="N", min=0, max=36500, help="Keep those of so many days.")] = 7,
) -> None:
    """Delete old idempotency keys, with the answers that were given to them.

    A request that is sent again under a deleted key is done again.
    """
    before = datetime.now(UTC) - timedelta(days=days)
    with unit_of_work() as uow:
        count = retrying(answered_requests.purge_idempotency_keys, before, uow)
    print_line(f"deleted: {count}")
