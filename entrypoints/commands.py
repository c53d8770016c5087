"""What all commands share: their unit of work, and the option to print JSON."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from entrypoints.bootstrap import bootstrap
from entrypoints.printing import report_retry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service_layer.unit_of_work import UnitOfWork

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
"""The option of a command that can print JSON."""


@contextmanager
def unit_of_work(*, read_only: bool = False) -> Iterator[UnitOfWork]:
    """Yield a unit of work for one command; say on standard error why it is tried again."""
    from stamina.instrumentation import set_on_retry_hooks

    with bootstrap() as application:
        set_on_retry_hooks([report_retry])  # instead of a log that no one has set up
        yield application.unit_of_work(read_only=read_only)
