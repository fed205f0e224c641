"""``spine-fracture serve``: our application over the project, with a folder or archive taken in first."""

from __future__ import annotations

import socket
from typing import Annotated

import typer
from rich.console import Console

LOOPBACK = ("127.0.0.1", "localhost")


def register(cli: typer.Typer) -> None:
    cli.command()(serve)
    cli.command("app-folder")(app_folder)


def serve(
    studies: Annotated[
        str | None,
        typer.Option(help="Folder of DICOM, or http://HOST/dicom-web; without it the catalogue is served."),
    ] = None,
    centre: Annotated[str, typer.Option(help="Centre that new studies are taken in for.")] = "local",
    protocol: Annotated[
        str | None,
        typer.Option(help="How many readers see each level: single (default), or double with adjudication."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (default 127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on (default 8000).", min=1, max=65535)
    ] = None,
) -> None:
    """Serve readers (OHIF, 3D Slicer, MONAI Label's clients) until interrupted. Not for clinical use."""
    import uvicorn

    from spine_fracture.cohort.users import any_user
    from spine_fracture.errors import InputError
    from spine_fracture.server.asgi import create_app
    from spine_fracture.server.room import open_room
    from spine_fracture.settings import settings

    given = settings()
    address, number = host or given.host, port or given.port
    console = Console()
    room = open_room(given.home, studies, centre, protocol=protocol)
    if address not in LOOPBACK:
        with room.project.session() as session:
            if not any_user(session):
                raise InputError(
                    f"Others can reach {address}, and this project has no users: make some with "
                    "spine-fracture user add, or serve this machine alone (--host 127.0.0.1)."
                )
    _require_free(address, number)
    console.print(f"Serving on http://{address}:{number} - not for clinical use. Ctrl-C ends it.")
    hosts = LOOPBACK if address in LOOPBACK else ("*",)
    app = create_app(lambda: room, hosts)
    uvicorn.run(app, host=address, port=number, log_level="warning")


def _require_free(address: str, port: int) -> None:
    from spine_fracture.errors import InputError

    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.create_server((address, port), family=family).close()
    except OSError as error:
        raise InputError(
            f"Nothing can listen on port {port} of {address} ({error.strerror}): end what does, or choose "
            "another with --port and --host."
        ) from None


def app_folder() -> None:
    """Print a folder to give to MONAI Label's own start_server as --app, where the package is read-only."""
    from spine_fracture.server.workplace import working_app
    from spine_fracture.settings import settings

    typer.echo(working_app(settings().home))
