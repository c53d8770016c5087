"""Processes that are forked after the application was made, as by a web server that loads it first."""

from __future__ import annotations

import subprocess
import sys

import pytest
from sqlalchemy import Engine

from tests.contract.users import stored_names
from tests.storages import sql_storage

# In a process of its own, because the tests have threads, which a fork does not take along.
PROGRAM = """
import os, sys
from domain.user import User
from entrypoints.bootstrap import bootstrap
from service_layer.users import create_user

application = bootstrap(sys.argv[1])
children = []
for child in range(2):
    children.append(os.fork())
    if not children[-1]:
        for number in range(0, 4, 2):
            create_user(f"ann{child}{number}", f"ann{child}{number}@example.com", application.unit_of_work())
            with application.unit_of_work() as uow:  # in a transaction
                uow.users.add(User.create(f"ann{child}{number + 1}", f"ann{child}{number + 1}@example.com"))
                uow.users.page()
                uow.commit()
        sys.exit()
create_user("bob", "bob@example.com", application.unit_of_work())
ended = [os.waitpid(child, 0)[1] for child in children]
create_user("cid", "cid@example.com", application.unit_of_work())
sys.exit(any(ended))
"""


@pytest.mark.promise(2, 14)
def test_each_process_has_connections_of_its_own(engine: Engine) -> None:
    """On a shared one, each would take the answers of the other for its own."""
    url = engine.url.render_as_string(hide_password=False)
    subprocess.run([sys.executable, "-c", PROGRAM, url], check=True, timeout=60)
    names = ["bob", "cid", *(f"ann{child}{number}" for child in range(2) for number in range(4))]
    assert sorted(names) == sorted(stored_names(sql_storage(engine)))
