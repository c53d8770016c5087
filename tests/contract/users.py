"""The sample of users."""

from __future__ import annotations

from domain.user import EmailAddress, EmailTaken, User, Username, UsernameTaken
from tests.contract.sample import Sample, UniqueValue

USERS: Sample[User] = Sample(
    repository="users",
    make=lambda word: User.create(word, f"{word}@example.com"),
    word=lambda user: user.username,
    rename=User.change_username,
    change=lambda user, state: user.deactivate() if state % 2 else user.reactivate(),
    unique=[
        UniqueValue("username", User.change_username, lambda users, name: users.get_by_username(name), UsernameTaken),
        UniqueValue("email", User.change_email, lambda users, email: users.get_by_email(email), EmailTaken),
    ],
    queries=[
        lambda users, word: users.list_holding([Username("ann")], [EmailAddress(f"{word}@example.com")]),
    ],
)
