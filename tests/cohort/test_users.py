"""Users, their passwords and service tokens, by code and from the command line."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text
from typer.testing import CliRunner

from spine_fracture.cli import cli
from spine_fracture.cohort.people import Role, ServiceToken, User
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.users import (
    add_token,
    add_user,
    any_user,
    change_password,
    check_password,
    disable_user,
    find_token,
    find_user,
    remove_token,
)
from spine_fracture.errors import ConflictError, InputError, NotFoundError
from spine_fracture.settings import settings

PASSWORD = "correct horse battery"


@pytest.fixture
def run(project: Project, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("SPINE_FRACTURE_HOME", str(project.home))
    monkeypatch.setenv("COLUMNS", "200")
    settings.cache_clear()
    return CliRunner()


def test_who_knows_the_password_is_known(project: Project) -> None:
    with project.transaction() as session:
        assert not any_user(session)
        add_user(session, "ann", PASSWORD, {Role.READER, Role.ADJUDICATOR})
    with project.session() as session:
        found = check_password(session, "ann", PASSWORD)
        assert found is not None and found.roles == {Role.READER, Role.ADJUDICATOR}
        assert check_password(session, "ann", PASSWORD.upper()) is None
        assert check_password(session, "bob", PASSWORD) is None
        assert check_password(session, "ann", "x" * 10**6) is None
        assert found.password_hash.startswith("$argon2id$")
    with project.engine.connect() as connection:
        assert PASSWORD not in str(connection.execute(text('SELECT * FROM "user"')).all())


def test_who_is_disabled_is_out_and_the_project_stays_closed(project: Project) -> None:
    with project.transaction() as session:
        add_user(session, "ann", PASSWORD, {Role.READER})
        disable_user(session, "ann")
        disable_user(session, "ann")
        assert check_password(session, "ann", PASSWORD) is None and find_user(session, "ann") is None
        assert any_user(session)
        with pytest.raises(ConflictError, match="choose another name"):
            add_user(session, "ann", PASSWORD, {Role.READER})
        with pytest.raises(NotFoundError, match="user list"):
            disable_user(session, "bob")
        with pytest.raises(NotFoundError, match="user list"):
            change_password(session, "bob", PASSWORD)


@pytest.mark.parametrize(
    ("name", "password", "roles", "wrong"),
    [
        ("", PASSWORD, {Role.READER}, "A name needs"),
        ("ann smith", PASSWORD, {Role.READER}, "A name needs"),
        ("x" * 65, PASSWORD, {Role.READER}, "A name needs"),
        ("../ann", PASSWORD, {Role.READER}, "A name needs"),
        ("Local", PASSWORD, {Role.READER}, "meaning of its own"),
        ("system", PASSWORD, {Role.READER}, "meaning of its own"),
        ("sr-0123456789", PASSWORD, {Role.READER}, "meaning of its own"),
        ("SR-ann", PASSWORD, {Role.READER}, "meaning of its own"),
        ("ann", "short", {Role.READER}, "10 to 200"),
        ("ann", "x" * 201, {Role.READER}, "10 to 200"),
        ("ann", PASSWORD, set(), "one role or more"),
        ("ann", PASSWORD, {Role.SERVICE}, "one role or more"),
    ],
)
def test_who_cannot_be_added(
    project: Project, name: str, password: str, roles: set[Role], wrong: str
) -> None:
    with project.transaction() as session:
        with pytest.raises(InputError, match=wrong):
            add_user(session, name, password, roles)
        assert session.scalars(select(User)).all() == []


def test_a_token_is_told_once_and_works_until_it_is_removed(project: Project) -> None:
    with project.transaction() as session:
        told = add_token(session, "slicer")
        with pytest.raises(ConflictError, match="remove it first"):
            add_token(session, "slicer")
    with project.transaction() as session:
        found = find_token(session, told)
        assert found is not None and found.name == "slicer"
        assert told not in session.scalars(select(ServiceToken.digest)).all()
        assert find_token(session, told[:-1]) is None and find_token(session, "") is None
        remove_token(session, "slicer")
        session.flush()
        assert find_token(session, told) is None
        with pytest.raises(NotFoundError):
            remove_token(session, "slicer")


def test_users_from_the_command_line(run: CliRunner, project: Project) -> None:
    assert "project is open" in run.invoke(cli, ["user", "list"]).output
    asked = run.invoke(
        cli,
        ["user", "add", "ann", "--role", "reader", "--role", "engineer"],
        input=f"{PASSWORD}\n{PASSWORD}\n",
    )
    assert asked.exit_code == 0 and "ann may sign in as engineer, reader" in asked.output
    assert PASSWORD not in asked.output
    piped = run.invoke(
        cli, ["user", "add", "bob", "--role", "adjudicator", "--password-stdin"], input=f"{PASSWORD}\n"
    )
    assert piped.exit_code == 0, piped.output
    with project.session() as session:
        assert check_password(session, "bob", PASSWORD) is not None
    again = ["user", "password", "bob", "--password-stdin"]
    refused = run.invoke(cli, again, input="short\n")
    assert isinstance(refused.exception, InputError) and "10 to 200 letters" in str(refused.exception)
    changed = run.invoke(cli, again, input="quite another one\n")
    assert changed.exit_code == 0 and "quite" not in changed.output
    with project.session() as session:
        assert check_password(session, "bob", PASSWORD) is None
        assert check_password(session, "bob", "quite another one") is not None
    assert run.invoke(cli, ["user", "disable", "bob"]).exit_code == 0
    told = run.invoke(cli, ["user", "token", "slicer"]).output.strip()
    with project.session() as session:
        assert check_password(session, "bob", PASSWORD) is None
        assert find_token(session, told) is not None
    listed = run.invoke(cli, ["user", "list"]).output
    assert all(word in listed for word in ("ann", "engineer, reader", "disabled", "slicer", "service"))
    assert told not in listed and "argon2" not in listed
    assert "opens nothing" in run.invoke(cli, ["user", "token", "slicer", "--remove"]).output
    refused = run.invoke(cli, ["user", "add", "cat", "--role", "service", "--password-stdin"], input=PASSWORD)
    assert isinstance(refused.exception, InputError)
