"""The commands of users: one for each use case."""

from __future__ import annotations

import os
import re
import shlex
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

import typer
from attrs import asdict

from domain.aggregate import new_id
from domain.errors import CommitOutcomeUnknown, InvalidValue, shown
from entrypoints import user_files, user_pages
from entrypoints.commands import AsJson, unit_of_work
from entrypoints.printing import print_json, print_line, print_table, report, watched
from entrypoints.sources import is_encoding
from entrypoints.user_csv import write_csv
from entrypoints.user_formats import as_record
from entrypoints.user_jsonl import write_jsonl
from service_layer import users
from service_layer.retrying import retrying
from service_layer.user_filter import UserFilter, UserSort

if TYPE_CHECKING:
    from collections.abc import Iterable

    from domain.user import User
    from entrypoints.sources import Source
    from service_layer.users import ImportSummary

_FINISHED_BY = "what is stored stays so, and running the same command again stores the rest"

commands = typer.Typer()


def _delimiter(value: str | None) -> str | None:
    """Return the character that an option names."""
    if value is None or (re.fullmatch(r'[^\w\s"]', value) and value.isprintable()):
        return value
    if value in ("tab", r"\t", "\t"):
        return "\t"
    raise typer.BadParameter(f"{shown(value)} is neither one sign such as ; nor the word tab")


def _encoding(value: str | None) -> str | None:
    if value is None or is_encoding(value):
        return value
    raise typer.BadParameter(f"Python knows no encoding {shown(value)}: write utf-8, utf-16 or cp1252, for example")


def _time(value: str) -> datetime:
    """Return the time that an option names."""
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise typer.BadParameter(f"{shown(value)} is no time: write 2026-01-31 or 2026-01-31T12:30Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


UsernameArgument = Annotated[str, typer.Argument(metavar="USERNAME", help="The user's name, in any spelling.")]
EmailArgument = Annotated[str, typer.Argument(metavar="EMAIL", help="The email address.")]
AfterOption = Annotated[
    str | None, typer.Option(metavar="PLACE", help="Begin behind this place, which the page before has named.")
]
DelimiterOption = Annotated[
    str | None, typer.Option(metavar="SIGN", callback=_delimiter, help="Between the cells of CSV: , or ; or tab.")
]
FileFormat = Annotated[Literal["csv", "jsonl"] | None, typer.Option("--format", help="Without it, as FILE ends.")]


@commands.command()
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
    with unit_of_work() as uow:
        try:
            user = retrying(users.create_user, username, email, uow, id)
        except CommitOutcomeUnknown as error:
            error.add_note(f"to be sure, run the same command with --id {id}: it stores the user if that is missing")
            raise
    _print_user(user, as_json)


@commands.command()
def get_user(username: UsernameArgument, as_json: AsJson = False) -> None:
    """Show one user."""
    with unit_of_work(read_only=True) as uow:
        _print_user(retrying(users.get_user, username, uow), as_json)


@commands.command()
def list_users(
    after: AfterOption = None,
    limit: Annotated[int, typer.Option(metavar="N", help="Show at most so many, 1 to 1000.")] = 50,
    active: Annotated[bool | None, typer.Option("--active/--inactive", help="Show these alone.")] = None,
    created_after: Annotated[
        datetime | None, typer.Option(parser=_time, metavar="TIME", help="Show those created after this, in UTC.")
    ] = None,
    created_before: Annotated[
        datetime | None, typer.Option(parser=_time, metavar="TIME", help="Show those created before this, in UTC.")
    ] = None,
    sort: Annotated[UserSort, typer.Option(help="The order; - in front reverses it.")] = "id",
    as_json: AsJson = False,
) -> None:
    """Show a page of users, by default the oldest first."""
    chosen = UserFilter(active, created_after, created_before, sort)
    try:
        place = user_pages.from_text(after, sort)
    except InvalidValue as error:
        raise typer.BadParameter(str(error), param_hint="--after") from None
    with unit_of_work(read_only=True) as uow:
        page = retrying(users.list_users, place, limit, uow, chosen)
    following = user_pages.as_text(page.next) if page.next else None
    if as_json:
        print_json({"users": [as_record(user) for user in page.items], "next": following})
        return
    _print_users(page.items)
    if following:
        sign = "=" if following.startswith("-") else " "  # so that a name is not taken for an option
        given = [f"--after{sign}{shlex.quote(following)}", f"--limit {limit}", *_options(chosen)]
        report(f"for the next page: app list-users {' '.join(given)}")


@commands.command()
def change_email(username: UsernameArgument, email: EmailArgument, as_json: AsJson = False) -> None:
    """Give a user another email address."""
    with unit_of_work() as uow:
        _print_user(retrying(users.change_email, username, email, uow), as_json)


@commands.command()
def change_username(
    username: UsernameArgument,
    new_username: Annotated[str, typer.Argument(metavar="NEW", help="The new name.")],
    as_json: AsJson = False,
) -> None:
    """Give a user another name."""
    with unit_of_work() as uow:
        _print_user(retrying(users.change_username, username, new_username, uow), as_json)


@commands.command()
def deactivate_user(username: UsernameArgument, as_json: AsJson = False) -> None:
    """Switch a user off."""
    with unit_of_work() as uow:
        _print_user(retrying(users.deactivate_user, username, uow), as_json)


@commands.command()
def reactivate_user(username: UsernameArgument, as_json: AsJson = False) -> None:
    """Switch a user on again."""
    with unit_of_work() as uow:
        _print_user(retrying(users.reactivate_user, username, uow), as_json)


@commands.command()
def delete_user(username: UsernameArgument) -> None:
    """Remove a user for good."""
    with unit_of_work() as uow:
        retrying(users.delete_user, username, uow)
    print_line(f"deleted: {username}")


@commands.command()
def import_users(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to import; - is standard input.")],
    file_format: FileFormat = None,
    delimiter: DelimiterOption = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", callback=_encoding, help="How FILE is encoded. [its mark, or utf-8]")
    ] = None,
    rejects: Annotated[Path | None, typer.Option(metavar="FILE", help="For refused rows. [FILE.rejects.csv]")] = None,
    as_json: AsJson = False,
) -> None:
    """Store the users of a file.

    A CSV file begins with a header line that names the columns username and email; a JSON Lines file has these keys in
    each line. Other columns and keys are ignored. Running it again finishes an import that was cut short.
    """
    rejects = rejects or user_files.rejects_path(file)  # before a pipe is read, which gives its lines once
    with user_files.open_source(file, encoding) as source:
        _check_rejects(rejects, source)
        try:
            found = user_files.read(source, file, file_format, delimiter)
            if found.form:
                report(f"reading {_name(file)} as {found.form}")
            with (
                unit_of_work() as uow,
                closing(watched(found, source)) as rows,
                user_files.open_rejects(rejects) as refused,  # the last, so that any other failure keeps an older file
            ):
                summary = users.import_users(rows, refused.refuse, uow)
        except KeyboardInterrupt:
            report(f"interrupted: {_FINISHED_BY}")
            raise typer.Exit(130) from None
        except CommitOutcomeUnknown as error:
            error.add_note(_FINISHED_BY)
            raise
    _report(summary, rejects, as_json)


@commands.command()
def export_users(
    output: Annotated[Path, typer.Option(metavar="FILE", help="Where to write; - is standard output.")] = Path("-"),
    file_format: FileFormat = None,
    delimiter: DelimiterOption = None,
    bom: Annotated[bool, typer.Option("--bom", help="Begin CSV with a byte-order mark, as Excel needs it.")] = False,
) -> None:
    """Write all users to a file, oldest first.

    The file is complete only when the exit code is 0.
    """
    chosen = file_format or user_files.format_of(output)
    if chosen == "jsonl" and (bom or delimiter):
        raise typer.BadParameter("JSON Lines have no --bom and no --delimiter", param_hint="--format")
    with (
        unit_of_work(read_only=True) as uow,
        closing(users.export_users(uow)) as found,
        user_files.open_target(output, bom=bom) as target,
    ):
        if chosen == "jsonl":
            write_jsonl(found, target)
        else:
            write_csv(found, target, delimiter or ",")


def _options(chosen: UserFilter) -> list[str]:
    """Return the options that choose the same users again, other than the default."""
    times = {"--created-after": chosen.created_after, "--created-before": chosen.created_before}
    return [
        *([] if chosen.active is None else ["--active" if chosen.active else "--inactive"]),
        *(f"{name} {time.isoformat()}" for name, time in times.items() if time),
        *([] if chosen.sort == "id" else [f"--sort={chosen.sort}"]),
    ]


def _check_rejects(path: Path, source: Source) -> None:
    if path == user_files.STANDARD_STREAM:
        raise typer.BadParameter("name a file: standard output has the result", param_hint="--rejects")
    if path.exists() and os.path.samestat(path.stat(), os.fstat(source.fileno())):
        raise typer.BadParameter("this is the file to import", param_hint="--rejects")


def _name(path: Path) -> str:
    return "standard input" if path == user_files.STANDARD_STREAM else str(path)


def _print_user(user: User, as_json: bool) -> None:
    if as_json:
        print_json(as_record(user))
    else:
        _print_users([user])


def _print_users(found: Iterable[User]) -> None:
    print_table(
        ("username", "email", "active", "created (UTC)", "id"),
        [
            (
                user.username,
                user.email,
                "yes" if user.active else "no",
                f"{user.created_at:%Y-%m-%d %H:%M}",
                str(user.id),
            )
            for user in found
        ],
    )


def _report(summary: ImportSummary, rejects: Path, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(summary), "rejects": str(rejects)})
    else:
        print_line(f"stored: {summary.stored}, stored before: {summary.present}, refused: {summary.refused}")
    if summary.refused:
        report(f"rows refused: {summary.refused}; {rejects} says which, and why")
        raise typer.Exit(1)
