"""Bugs in the entry points: the commands, their files, the settings, and the care of the tables."""

from __future__ import annotations

import csv
import os
from itertools import islice
from typing import TYPE_CHECKING, Any

import typer
from attrs import evolve

import entrypoints.bootstrap
import entrypoints.cli
import entrypoints.config
import entrypoints.sources
import entrypoints.user_commands
import entrypoints.user_csv
import entrypoints.user_files
import entrypoints.user_jsonl
import service_layer.users
from domain.errors import DuplicateIdentity
from domain.user import UsernameTaken
from entrypoints import user_formats
from entrypoints.printing import print_line
from proof.planted_bugs.registry import around, bug, instead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@bug(
    "sql",
    entry="create-user",
    caught_by="e2e/test_user_cli_retries.py::test_an_unknown_creation_says_what_to_do",
)
def the_given_id_is_ignored() -> None:
    """``create-user --id`` makes another id."""

    def create(original: Any, username: str, email: str, uow: Any, id: Any = None) -> Any:  # noqa: ARG001
        return original(username, email, uow)

    around(service_layer.users, "create_user", create)


@bug(
    "fake",
    "sql",
    entry="create-user",
    caught_by="e2e/test_user_cli_retries.py::test_an_id_that_another_user_has_is_refused",
)
def a_user_of_other_values_is_as_good() -> None:
    """``create_user`` returns the user with the given id, whatever its name and address."""

    def create(original: Any, username: str, email: str, uow: Any, id: Any = None) -> Any:
        try:
            return original(username, email, uow, id)
        except DuplicateIdentity:
            return service_layer.users._find(id, uow)

    around(service_layer.users, "create_user", create)


@bug("sql", entry="create-user", caught_by="e2e/test_user_cli.py::test_a_refusal_is_one_line_and_exit_code_1")
def an_error_is_printed_as_a_result() -> None:
    """The command line writes errors on standard output."""
    instead(entrypoints.cli, "report", print_line)


@bug("sql", entry="create-user", caught_by="e2e/test_user_cli.py::test_a_refusal_is_one_line_and_exit_code_1")
def a_refusal_has_the_code_of_the_storage() -> None:
    """The command line exits with 3 when the business refuses."""

    def main(original: Any, arguments: Any = None) -> None:
        try:
            original(arguments)
        except SystemExit as done:
            raise SystemExit(3 if done.code == 1 else done.code) from None

    around(entrypoints.cli, "main", main)


@bug(
    "sql",
    entry="import-users",
    caught_by="e2e/test_user_cli_files.py::test_refused_rows_are_reported",
)
def an_import_with_refused_rows_succeeds() -> None:
    """``import-users`` exits with 0 although it has refused rows."""

    def report(original: Any, *args: Any) -> None:
        try:
            original(*args)
        except typer.Exit:
            return

    around(entrypoints.user_commands, "_report", report)


@bug(
    "fake",
    "sql",
    entry="import-users",
    caught_by="unit/test_use_cases.py::test_an_unreadable_row_is_refused_for_that",
)
def a_row_that_cannot_be_read_is_passed_over() -> None:
    """An import counts a row that cannot be read as stored before."""
    around(
        service_layer.users,
        "_users_of",
        lambda original, rows: original([row for row in rows if row.problem is None]),
    )


@bug(
    "fake",
    "sql",
    entry="import-users",
    caught_by="unit/test_use_cases.py::test_an_import_stores_batch_by_batch",
)
def the_first_row_of_a_further_batch_is_lost() -> None:
    """An import reads a row behind each full batch, to see whether there is one, and loses it."""

    def first(remaining: Any, size: int) -> Iterator[Any]:
        return iter([*islice(remaining, size + 1)][:size])

    instead(service_layer.users, "islice", first)


@bug(
    "fake",
    "sql",
    entry="import-users",
    caught_by="unit/test_use_cases.py::test_a_second_import_stores_nothing_twice",
)
def a_user_stored_before_is_refused() -> None:
    """An import refuses a row whose user is stored already. So a second run cannot finish it."""

    def divide(original: Any, candidates: Any, uow: Any) -> Any:
        new, stored, taken = original(candidates, uow)
        known = {holder.username for holder in uow.users.list_holding({user.username for _, user in candidates}, ())}
        refused = {id(row) for row, _ in taken}
        again = [(row, user) for row, user in candidates if user.username in known and id(row) not in refused]
        return new, stored, [*taken, *((row, UsernameTaken(user.username)) for row, user in again)]

    around(service_layer.users, "_divide", divide)


@bug("sql", entry="import-users", caught_by="unit/test_user_formats.py::test_bad_bytes_cost_one_json_line")
def lines_of_json_are_counted_from_zero() -> None:
    """The rejects of JSON Lines name the line before."""
    around(
        entrypoints.user_jsonl,
        "_rows",
        lambda original, source: (evolve(row, line=row.line - 1) for row in original(source)),
    )


@bug("sql", entry="import-users", caught_by="unit/test_user_formats.py::test_a_json_line_has_two_values")
def a_byte_order_mark_is_kept() -> None:
    """A byte-order mark counts as a part of the first column's name."""
    around(entrypoints.sources, "_codec", lambda original, *given: original(*given).removesuffix("-sig"))


@bug("sql", entry="export-users", caught_by="unit/test_user_formats.py::test_an_export_of_no_one_has_a_header_line")
def an_export_of_no_one_is_empty() -> None:
    """A CSV export without users has no header line, and cannot be imported."""

    def write(users: Iterable[Any], target: Any, delimiter: str = ",") -> None:
        writer = csv.DictWriter(target, user_formats.FIELDS, delimiter=delimiter, lineterminator="\n")
        for count, user in enumerate(users):
            if count == 0:
                writer.writeheader()
            writer.writerow(user_formats.as_record(user))

    instead(entrypoints.user_csv, "write_csv", write)
    instead(entrypoints.user_commands, "write_csv", write)


@bug("sql", entry="export-users", caught_by="unit/test_user_files.py::test_a_database_is_never_overwritten")
def a_database_is_overwritten() -> None:
    """An export or the rejects of an import may overwrite the database."""
    instead(entrypoints.user_files, "_refuse_database", lambda _: None)


@bug(
    "sql",
    entry="export-users",
    caught_by="integration/test_private_user_files.py::test_a_new_file_of_users_is_private",
)
def an_export_is_readable_by_all() -> None:
    """Every account can read the file of an export."""
    instead(entrypoints.user_files, "_for_owner", lambda path, flags: os.open(path, flags, 0o644))


@bug(
    "fake",
    "sql",
    entry="export-users",
    caught_by="e2e/test_user_cli_files.py::test_an_export_can_be_imported_elsewhere",
)
def an_export_leaves_out_who_is_switched_off() -> None:
    """An export has only the active users."""
    around(
        service_layer.users,
        "export_users",
        lambda original, uow: (user for user in original(uow) if user.active),
    )


@bug("sql", entry="list-users", caught_by="e2e/test_user_cli.py::test_pages_follow_each_other")
def the_next_page_is_a_result() -> None:
    """``list-users`` writes how to get the next page on standard output."""
    instead(entrypoints.user_commands, "report", print_line)


@bug("sql", entry="list-users", caught_by="e2e/test_user_cli.py::test_pages_follow_each_other")
def every_page_is_the_first() -> None:
    """``list-users --after`` begins with the first user."""
    around(service_layer.users, "list_users", lambda original, _after, *others: original(None, *others))


@bug("sql", entry="list-users", caught_by="e2e/test_user_cli.py::test_a_table_in_a_pipe_shows_values_whole")
def everyone_looks_active() -> None:
    """The table of users shows a user who is switched off as active."""

    def print_table(original: Any, headings: Any, rows: Any) -> None:
        original(headings, [(*row[:2], "yes", *row[3:]) for row in rows])

    around(entrypoints.user_commands, "print_table", print_table)
