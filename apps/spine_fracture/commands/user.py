"""``user``: who may sign in, and tokens for programs that speak for readers."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from spine_fracture.cohort.words import Role

_PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Take the password from standard input.")
]


def register(cli: typer.Typer) -> None:
    group = typer.Typer(
        help="Who may sign in, and tokens for programs. With the first user everybody has to sign in.",
        no_args_is_help=True,
    )
    group.command("add")(add)
    group.command("list")(list_)
    group.command("password")(password)
    group.command("disable")(disable)
    group.command("token")(token)
    cli.add_typer(group, name="user")


def add(
    name: Annotated[str, typer.Argument(help="What they sign in with, e.g. reader-1; a pseudonym will do.")],
    role: Annotated[list[Role], typer.Option(help="What they may do; can be given several times.")],
    password_stdin: _PasswordStdin = False,
) -> None:
    """Add somebody who may sign in; the password is asked for."""
    from spine_fracture.cohort.project import open_project
    from spine_fracture.cohort.users import add_user

    given = _password(password_stdin)
    with open_project().transaction() as session:
        user = add_user(session, name, given, role)
        roles = ", ".join(sorted(user.roles))
    Console().print(f"{name} may sign in as {roles}.", highlight=False)


def password(
    name: Annotated[str, typer.Argument(help="Who gets another password.")],
    password_stdin: _PasswordStdin = False,
) -> None:
    """Give somebody another password, which is asked for; who is signed in with the old one is out."""
    from spine_fracture.cohort.project import open_project
    from spine_fracture.cohort.users import change_password

    given = _password(password_stdin)
    with open_project().transaction() as session:
        change_password(session, name, given)
    Console().print(f"{name} signs in with the new password.", highlight=False)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def list_() -> None:
    """Everybody who may sign in, and the tokens; never a password or a token itself."""
    from spine_fracture.cohort.project import open_project
    from spine_fracture.cohort.users import list_tokens, list_users

    with open_project().session() as session:
        users, tokens = list_users(session), list_tokens(session)
    console = Console()
    if not users:
        console.print(
            "There is no user: the project is open to whoever reaches it. Add one with "
            "spine-fracture user add NAME --role reader."
        )
    table = Table("Name", "Roles", "Since", "", box=SIMPLE)
    for user in users:
        roles = ", ".join(sorted(user.roles))
        table.add_row(user.name, roles, f"{user.created:%Y-%m-%d}", "disabled" if user.disabled else "")
    for token in tokens:
        table.add_row(token.name, Role.SERVICE, f"{token.created:%Y-%m-%d}", "token")
    if users or tokens:
        console.print(table)


def disable(name: Annotated[str, typer.Argument(help="Who may no longer sign in.")]) -> None:
    """From now on this user cannot sign in; their reads stay."""
    from spine_fracture.cohort.project import open_project
    from spine_fracture.cohort.users import disable_user

    with open_project().transaction() as session:
        disable_user(session, name)
    Console().print(f"{name} can no longer sign in; their reads stay.", highlight=False)


def token(
    name: Annotated[str, typer.Argument(help="Which program it is for, e.g. slicer-room-2.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take the token back.")] = False,
) -> None:
    """Make a token for a program that may name the reader it speaks for; it is shown once."""
    from spine_fracture.cohort.project import open_project
    from spine_fracture.cohort.users import add_token, remove_token

    with open_project().transaction() as session:
        if remove:
            remove_token(session, name)
            text = f"The token {name} opens nothing any more."
        else:
            text = add_token(session, name)
    # On a line of its own and unwrapped, so that it can be piped into a file.
    typer.echo(text)
