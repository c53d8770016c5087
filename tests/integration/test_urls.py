"""URLs of databases as people write them: how they are understood, and which are refused before connecting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from adapters.sql.engine import make_engine
from adapters.sql.errors import name_of
from domain.errors import ConfigurationError
from entrypoints.bootstrap import bootstrap
from entrypoints.config import Settings


def told(url: str) -> dict[str, Any]:
    """Return what the driver would get, without connecting."""
    engine, arguments = make_engine(url), {}

    @event.listens_for(engine, "do_connect")
    def refuse(_dialect: object, _record: object, _arguments: object, named: dict[str, Any]) -> None:
        arguments.update(named)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        engine.connect()
    return arguments


@pytest.mark.parametrize(
    ("url", "host", "port", "name"),
    [
        ("postgresql://u:p@h1:5001,h2:5002/db", "h1,h2", "5001,5002", "u:***@h1:5001,h2:5002/db"),
        ("postgresql://u@h1,h2:5002/db", "h1,h2", ",5002", "u@h1,h2:5002/db"),
        ("postgresql://u@h1,h2/db?port=7", "h1,h2", "7,7", "u@h1:7,h2:7/db"),
        ("postgresql://u@/db?host=h1:5001&host=h2", "h1,h2", "5001,", "u@h1:5001,h2/db"),
        ("postgresql://u@/db?host=h1,h2&port=1,2", "h1,h2", "1,2", "u@h1:1,h2:2/db"),
        ("postgresql://[::1]:5,[::2]/db", "::1,::2", "5,", "[::1]:5,[::2]/db"),
        ("postgresql://u@%2Fvar%2Frun/db", "/var/run", "", "u@%2Fvar%2Frun/db"),
        ("postgresql://h:5433/db", "h", 5433, "h:5433/db"),
    ],
)
def test_libpqs_own_forms_are_understood(url: str, host: str, port: object, name: str) -> None:
    """The forms of libpq are understood: several hosts, and the folder of a socket. Messages name all hosts."""
    arguments = told(url)
    assert (host, port) == (arguments["host"], arguments["port"])
    assert f"postgresql+psycopg2://{name}" == name_of(make_engine(url))


@pytest.mark.parametrize("space", ["\n", "\r\n", " ", "\t"])
def test_white_space_around_a_url_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, space: str) -> None:
    """White space around a URL is ignored: a file with a secret ends with it. No file of another name is made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"{space}sqlite:///people.db{space}")
    with bootstrap():
        assert "people.db" in {path.name for path in tmp_path.iterdir()}
    assert {"people.db"} == {path.name.partition("-")[0] for path in tmp_path.iterdir()}
    assert "memory://" == Settings(database_url=f"memory://{space}").database_url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("'postgresql://u:secret@h/db'", "has quotation marks around it: leave them out$"),
        ('"postgresql://u:secret@h/db"', "has quotation marks around it: leave them out$"),
        ("memory", "is memory: write memory:// for the fake$"),
        ("sqlite://people.db", "has two slashes before people.db: write sqlite:///people.db$"),
        ("sqlite:///people?.db", r"has a \? before what is no option: .*, and none in the name of a file$"),
        ("mysql://u:secret@h", "names no database: write it like mysql://user:password@host/database$"),
        ("mariadb://u:secret@h/", "names no database"),
        ("postgresql://u:secret@h1,h2,h3/db?port=1,2", "has 3 hosts and 2 ports: write one for each$"),
        ("postgresql://u:secret/word@h/db", "cannot be read"),
        ("postgresql://u:secret%zz@h/db", "cannot be read"),
        (
            "postgresql://u:secret@h/db?pgbouncer=true",
            "option pgbouncer, which PostgreSQL does not know: leave it out$",
        ),
        ("postgresql://u:secret@h/db?schema=x", "option schema, .*: write options=-csearch_path%3DNAME$"),
        ("postgresql://u:secret@h/db?ssl=require", "option ssl, .*: write sslmode=require$"),
        ("postgresql://u:secret@h/db?ssl=true", "option ssl, .*: write sslmode=require$"),
        ("postgresql://u:secret@h/db?sslrootcert=/missing.pem", "sslrootcert, .* that is not there: /missing.pem$"),
        ("mysql://u:secret@h/db?ssl=true", "option ssl, .*: write ssl_ca=/path/of/ca.pem$"),
        ("mysql://u:secret@h/db?compress=true", "option compress, which is not known here: leave it out$"),
        ("mysql://u:secret@h/db?connect_timeout=0", "connect_timeout, which is a whole number from 1 on$"),
        ("mysql://u:secret@h/db?read_timeout=soon", "read_timeout, which is a whole number from 1 on$"),
        ("mysql://u:secret@h/db?use_unicode=0", "use_unicode, .*: leave it out, texts are Unicode$"),
        ("mysql://u:secret@h/db?autocommit=1", "autocommit, .*: leave it out, the unit of work commits$"),
        ("mysql://u:secret@h/db?charset=latin1", "charset, which is utf8mb4, the one that holds every character$"),
        ("mysql://u:secret@h/db?port=abc", "port, .*: write it behind the host$"),
        ("mysql://u:secret@h/db?ssl_ca=/missing.pem", "ssl_ca, which names a file that is not there: /missing.pem$"),
        ("mysql://u:secret@h/db?ssl_verify_cert=perhaps", "ssl_verify_cert, which is true or false$"),
        (f"mysql://u:secret@h/db?ssl_ca={__file__}&ssl_disabled=yes", "ssl_disabled beside other options of TLS"),
    ],
)
def test_a_url_is_refused_with_what_is_meant(url: str, reason: str) -> None:
    """A wrong URL is refused with the right form, without the password, before anything is sent."""
    with pytest.raises(ConfigurationError, match=f"DATABASE_URL .*{reason}") as caught:
        make_engine(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("ssl_ca={file}&ssl_disabled=false", {"ssl": {"ca": "{file}"}, "ssl_disabled": False}),
        ("ssl_ca={file}&ssl_verify_identity=false", {"ssl": {"ca": "{file}", "check_hostname": False}}),
        ("ssl_verify_cert=true", {"ssl": {"verify_mode": True}}),
        ("ssl_disabled=true", {"ssl_disabled": True}),
        ("local_infile=no&read_timeout=7", {"local_infile": False, "read_timeout": 7}),
        ("charset=utf8mb4", {"charset": "utf8mb4"}),
    ],
)
def test_options_of_mariadb_mean_what_they_say(options: str, expected: dict[str, Any]) -> None:
    """Options of MariaDB mean what they say: false is false, and a certificate authority verifies the server."""
    pytest.importorskip("pymysql")
    url = f"mysql://u@h/db?{options}".replace("{file}", __file__)
    wanted = eval(repr(expected).replace("{file}", __file__))  # noqa: S307  # of the cases above
    assert wanted.items() <= told(url).items()


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("sslmode=no", 'invalid sslmode value: "no"$'),
        ("target_session_attrs=best", 'invalid target_session_attrs value: "best"$'),
        ("keepalives=often", 'invalid integer value "often" for connection option "keepalives"$'),
        ("options=-cno_such_parameter%3D1", 'unrecognized configuration parameter "no_such_parameter"$'),
        ("options=-clock_timeout%3Dsoon", 'invalid value for parameter "lock_timeout": "soon"$'),
    ],
)
def test_a_value_that_postgres_refuses_is_named(postgres_server: str, option: str, reason: str) -> None:
    """A value that PostgreSQL refuses is named. It is an error of the URL and no reason to try again."""
    engine = make_engine(f"{postgres_server}?{option}")
    with pytest.raises(ConfigurationError, match=f"^DATABASE_URL has an option that cannot be used: {reason}"):
        engine.connect()
