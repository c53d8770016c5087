"""The command line: the commands of each aggregate, and some that look after the tables."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import ConfigurationError, DomainError, StorageError
from entrypoints import user_commands
from entrypoints.answered_request_commands import commands as answered_request_commands
from entrypoints.bootstrap import open_schema
from entrypoints.commands import AsJson
from entrypoints.printing import print_json, print_line, report
from entrypoints.serve_commands import commands as serve_commands

if TYPE_CHECKING:
    from collections.abc import Sequence


# A line with \b keeps the lines of the paragraph below it as they are.
_HELP = """Run the use cases, and look after the tables.

\b
The environment chooses the storage:
  DATABASE_URL      sqlite:///file (default: sqlite:///plumbline.db),
                    postgresql://..., mysql://..., mariadb://...,
                    or memory:// to try things out
  DATABASE_TIMEOUT  seconds to wait for a connection or another writer (default: 10)
  DATABASE_PING     1 to try a connection before each use (default: 0)
  DATABASE_ACCEPT_NEWER
                    1 to start on tables that a newer version of this
                    program has extended (default: 0)

\b
Exit codes:
  0    it is done
  1    it was refused, or a file cannot be used; an import has stored the rest
  2    the command line is wrong
  3    the storage cannot be used
  130  it was interrupted
"""

# Plain help instead of rich's, because it can be piped and searched. It is quicker too; and for the sake of --help and
# the shell's completion, rich is imported only where something is drawn.
app = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
db = typer.Typer(help="Look after the tables of the database.", no_args_is_help=True)
app.add_typer(user_commands.commands)
app.add_typer(answered_request_commands)
app.add_typer(serve_commands)
app.add_typer(db, name="db")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name (without them, those of the process) and exit with its code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # it is None where the caller has closed it
        sys.stdout.reconfigure(errors="backslashreplace")  # as Python itself does for sys.stderr
    try:
        app(arguments)
    except (DomainError, StorageError, ConfigurationError) as error:
        report(f"error: {error}")
        for note in getattr(error, "__notes__", ()):
            report(note)
        sys.exit(1 if isinstance(error, DomainError) else 3)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        report(f"error: {where}{error.strerror or error}")
        # Where it is full, Python would try to write the rest at its end, fail again, and exit with another code.
        sys.stdout = None  # as Python has it where the caller has closed it
        sys.exit(1)


@db.command()
def upgrade() -> None:
    """Bring the tables to the revision that this program needs."""
    with open_schema() as schema:
        schema.upgrade()
        print_line(f"the tables stand at revision {schema.current or 'base'}")


@db.command(context_settings={"ignore_unknown_options": True})  # so that -1 is a revision
def downgrade(
    revision: Annotated[str, typer.Argument(metavar="REVISION", help="A revision, -1 for one back, base for none.")],
) -> None:
    """Take the tables back to an earlier revision, and lose what they had no place for then."""
    with open_schema() as schema:
        schema.downgrade(revision)
        print_line(f"the tables stand at revision {schema.current or 'base'}")


@db.command(context_settings={"ignore_unknown_options": True})  # so that -1 is a revision, and refused as one
def stamp(
    revision: Annotated[str, typer.Argument(metavar="REVISION", help="The revision that they match, base for none.")],
) -> None:
    """Note that the tables stand at a revision, and change none of them."""
    with open_schema() as schema:
        schema.stamp(revision)
        print_line(f"the tables stand at revision {schema.current or 'base'}")


@db.command()
def status(as_json: AsJson = False) -> None:
    """Show the situation of the tables, and what to do next."""
    with open_schema() as schema:
        found = schema.situation
    if as_json:
        print_json(
            {"current": found.found, "head": found.needed, "situation": found.kind, "problem": found.problem}
            | {"advice": found.advice}
        )
        return
    print_line(f"the tables stand at revision {found.found or 'base'}, and this program needs {found.needed or 'base'}")
    print_line(f"{found.kind}: the database {found.problem}")
    if found.advice:
        print_line(f"next: {found.advice}")


if __name__ == "__main__":
    main()
