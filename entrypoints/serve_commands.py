"""The command that runs the server."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from domain.errors import ConfigurationError

commands = typer.Typer()


@commands.command()
def serve(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen; 0.0.0.0 is everywhere.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="On which port; 0 is any free one.")] = 8000,
) -> None:
    """Serve the use cases over HTTP.

    Any address but 127.0.0.1 needs a token in HTTP_TOKENS. docs/entrypoints.md lists the settings.
    """
    if find_spec("fastapi") is None:
        raise ConfigurationError("app serve needs more packages: pip install 'plumbline[http]'")
    from entrypoints.http.serving import serve

    serve(host, port)
