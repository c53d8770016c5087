"""The command line: one command for each use case of users, and some that look after the tables."""

from __future__ import annotations

import io
import os
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

import typer
from attrs import asdict

from domain.aggregate import new_id
from domain.errors import CommitOutcomeUnknown, ConfigurationError, DomainError, StorageError
from entrypoints import user_files, user_formats
from entrypoints.bootstrap import bootstrap, open_schema
from entrypoints.printing import print_json, print_line, print_table, print_user, tell, tell_of_retry, watched
from service_layer import users
from service_layer.retrying import retrying

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from service_layer.unit_of_work import UnitOfWork
    from service_layer.users import ImportSummary

# A line with \b keeps the lines of the paragraph below it as they are.
_HELP = """Look after users.

\b
The environment chooses the storage:
  DATABASE_URL      sqlite:///file (default: sqlite:///plumbline.db),
                    postgresql://..., mysql://..., mariadb://...,
                    or memory:// to try things out
  DATABASE_TIMEOUT  seconds to wait for a connection or another writer (default: 10)
  DATABASE_PING     1 to try a connection before each use (default: 0)

\b
Exit codes:
  0    it is done
  1    it was refused, or a file cannot be used; an import has stored the rest
  2    the command line is wrong
  3    the storage cannot be used
  130  it was interrupted
"""

_FINISHED_BY = "what is stored stays so, and running the same command again stores the rest"

# Plain help instead of rich's, because it can be piped and searched. It is quicker too; and for the sake of --help and
# the shell's completion, rich is imported only where something is drawn.
app = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
db = typer.Typer(help="Look after the tables of the database.", no_args_is_help=True)
app.add_typer(db, name="db")

UsernameArgument = Annotated[str, typer.Argument(metavar="USERNAME", help="The user's name, in any spelling.")]
EmailArgument = Annotated[str, typer.Argument(metavar="EMAIL", help="The email address.")]
AfterOption = Annotated[UUID | None, typer.Option(metavar="ID", help="Begin behind the user with this id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
FileFormat = Annotated[Literal["csv", "jsonl"] | None, typer.Option("--format", help="Without it, as FILE ends.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name (without them, those of the process) and exit with its code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # it is None where the caller has closed it
        sys.stdout.reconfigure(errors="backslashreplace")  # as Python itself does for sys.stderr
    try:
        app(arguments)
    except (DomainError, StorageError, ConfigurationError) as error:
        tell(f"error: {error}")
        for note in getattr(error, "__notes__", ()):
            tell(note)
        sys.exit(1 if isinstance(error, DomainError) else 3)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        tell(f"error: {where}{error.strerror or error}")
        # Where it is full, Python would try to write the rest at its end, fail again, and exit with another code.
        sys.stdout = None  # as Python has it where the caller has closed it
        sys.exit(1)


@app.command()
def create_user(
    username: UsernameArgument,
    email: EmailArgument,
    id: Annotated[UUID | None, typer.Option(metavar="ID", help="The new user's id. [a new one]")] = None,
    as_json: AsJson = False,
) -> None:
    """Store a new user.

    With an id it can be run again: where this user is stored already, nothing changes.
    """
    id = id or new_id()
    with _unit_of_work() as uow:
        try:
            user = retrying(users.create_user, username, email, uow, id)
        except CommitOutcomeUnknown as error:
            error.add_note(f"to be sure, run the same command with --id {id}: it stores the user if that is missing")
            raise
    print_user(user, as_json)


@app.command()
def get_user(username: UsernameArgument, as_json: AsJson = False) -> None:
    """Show one user."""
    with _unit_of_work(read_only=True) as uow:
        print_user(retrying(users.get_user, username, uow), as_json)


@app.command()
def list_users(
    after: AfterOption = None,
    limit: Annotated[int, typer.Option(metavar="N", help="Show at most so many, 1 to 1000.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show a page of users, oldest first."""
    with _unit_of_work(read_only=True) as uow:
        page = retrying(users.list_users, after, limit, uow)
    if as_json:
        records = [user_formats.as_record(user) for user in page.items]
        print_json({"users": records, "next": str(page.next) if page.next else None})
        return
    print_table(page.items)
    if page.next:
        tell(f"for the next page: app list-users --after {page.next} --limit {limit}")


@app.command()
def change_email(username: UsernameArgument, email: EmailArgument, as_json: AsJson = False) -> None:
    """Give a user another email address."""
    with _unit_of_work() as uow:
        print_user(retrying(users.change_email, username, email, uow), as_json)


@app.command()
def change_username(
    username: UsernameArgument,
    new_username: Annotated[str, typer.Argument(metavar="NEW", help="The new name.")],
    as_json: AsJson = False,
) -> None:
    """Give a user another name."""
    with _unit_of_work() as uow:
        print_user(retrying(users.change_username, username, new_username, uow), as_json)


@app.command()
def deactivate_user(username: UsernameArgument, as_json: AsJson = False) -> None:
    """Switch a user off."""
    with _unit_of_work() as uow:
        print_user(retrying(users.deactivate_user, username, uow), as_json)


@app.command()
def reactivate_user(username: UsernameArgument, as_json: AsJson = False) -> None:
    """Switch a user on again."""
    with _unit_of_work() as uow:
        print_user(retrying(users.reactivate_user, username, uow), as_json)


@app.command()
def delete_user(username: UsernameArgument) -> None:
    """Remove a user for good."""
    with _unit_of_work() as uow:
        retrying(users.delete_user, username, uow)
    print_line(f"deleted: {username}")


@app.command()
def import_users(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to import; - is standard input.")],
    file_format: FileFormat = None,
    rejects: Annotated[Path | None, typer.Option(metavar="FILE", help="For refused rows. [FILE.rejects.csv]")] = None,
    as_json: AsJson = False,
) -> None:
    """Store the users of a file.

    A CSV file begins with a header line that names the columns username and email; a JSON Lines file has these keys in
    each line. Other columns and keys are ignored. Running it again finishes an import that was cut short.
    """
    read = user_formats.READERS[file_format or user_formats.format_of(file)]
    with user_files.open_source(file) as source:
        rejects = rejects or user_files.rejects_path(file)
        if rejects.exists() and os.path.samestat(rejects.stat(), os.fstat(source.fileno())):
            raise typer.BadParameter("this is the file to import", param_hint="--rejects")
        try:
            with (
                _unit_of_work() as uow,
                user_files.open_rejects(rejects) as refused,
                closing(watched(read(source), source)) as rows,
            ):
                summary = users.import_users(rows, refused.refuse, uow)
        except KeyboardInterrupt:
            tell(f"interrupted: {_FINISHED_BY}")
            raise typer.Exit(130) from None
        except CommitOutcomeUnknown as error:
            error.add_note(_FINISHED_BY)
            raise
    _report(summary, rejects, as_json)


@app.command()
def export_users(
    output: Annotated[Path, typer.Option(metavar="FILE", help="Where to write; - is standard output.")] = Path("-"),
    file_format: FileFormat = None,
) -> None:
    """Write all users to a file, oldest first.

    The file is complete only when the exit code is 0.
    """
    write = user_formats.WRITERS[file_format or user_formats.format_of(output)]
    with (
        _unit_of_work(read_only=True) as uow,
        closing(users.export_users(uow)) as found,
        user_files.open_target(output) as target,
    ):
        write(found, target)


@db.command()
def upgrade() -> None:
    """Bring the tables to the revision that this program needs."""
    with open_schema() as schema:
        schema.upgrade()
        print_line(f"the tables stand at revision {schema.current}")


@db.command(context_settings={"ignore_unknown_options": True})  # so that -1 is a revision
def downgrade(
    revision: Annotated[str, typer.Argument(metavar="REVISION", help="A revision, -1 for one back, base for none.")],
) -> None:
    """Take the tables back to an earlier revision, and lose what they had no place for then."""
    with open_schema() as schema:
        schema.downgrade(revision)
        print_line(f"the tables stand at revision {schema.current or 'base'}")


@db.command()
def status(as_json: AsJson = False) -> None:
    """Show the revision of the tables, and the one that this program needs."""
    with open_schema() as schema:
        current, head = schema.current, schema.head
    if as_json:
        print_json({"current": current, "head": head})
    else:
        print_line(f"the tables stand at revision {current or 'base'}, and this program needs {head}")


@contextmanager
def _unit_of_work(*, read_only: bool = False) -> Iterator[UnitOfWork]:
    from stamina.instrumentation import set_on_retry_hooks

    with bootstrap() as application:
        set_on_retry_hooks([tell_of_retry])  # instead of a log that nobody has set up
        yield application.unit_of_work(read_only=read_only)


def _report(summary: ImportSummary, rejects: Path, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(summary), "rejects": str(rejects)})
    else:
        print_line(f"stored: {summary.stored}, stored before: {summary.present}, refused: {summary.refused}")
    if summary.refused:
        tell(f"rows refused: {summary.refused}; {rejects} says which, and why")
        raise typer.Exit(1)


if __name__ == "__main__":
    main()
