"""``spine-fracture publish``: what models said, as structured reports, because an engineer asks."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console


def register(cli: typer.Typer) -> None:
    cli.command("publish")(publish)


def publish(
    study: Annotated[str | None, typer.Option(help="The UID of one study.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every study that the models have read.")] = False,
    archive: Annotated[
        str | None,
        typer.Option(help="http://HOST/dicom-web of the archive; without it, the project's results/reports."),
    ] = None,
) -> None:
    """Write the predictions of training patients as DICOM SR. Not for clinical use.

    What models say of validation and test patients is never published, so that they are read blinded.
    """
    from collections import Counter

    from spine_fracture.cohort.project import open_project
    from spine_fracture.cohort.protocol import load_protocol
    from spine_fracture.commands.bars import bar
    from spine_fracture.errors import InputError, RemoteError
    from spine_fracture.server.reports.authors import Kind
    from spine_fracture.server.reports.delivery import delivery_for
    from spine_fracture.server.reports.publishing import queue_all, queue_study
    from spine_fracture.server.reports.sending import Sender
    from spine_fracture.server.room import DEFAULT_CENTRE, source_of

    if (study is None) is not every:
        raise InputError("Say which study with --study UID, or --all.")
    project = open_project()
    if archive is not None and not archive.startswith(("http://", "https://")):
        raise InputError("The archive is an address such as http://HOST/dicom-web.")
    source = source_of(project, archive, DEFAULT_CENTRE)
    chosen = queue_all(project) if study is None else queue_study(project, study)
    sender = Sender(project, load_protocol("single"), delivery_for(project, source), Kind.MODEL)
    with bar("Reports") as progress:
        sent = sender.send(progress)
    console = Console()
    console.print(f"[bold]{sent.stored}[/] reports stored on {len(chosen.queued)} studies.")
    if chosen.queued and not (sent.stored or sent.failed or sent.trouble):
        console.print("Those that are there already say the same.")
    if chosen.locked:
        console.print(f"{chosen.locked} studies of validation and test patients were left out.")
    if chosen.unread:
        console.print(f"{chosen.unread} studies have not been read by any model: run spine-fracture read.")
    for why, count in Counter(sent.refusals).items():
        console.print(f"{count} reports were refused: {why}", style="red", highlight=False, markup=False)
    console.print("Not for clinical use.", style="dim")
    if sent.trouble:
        raise RemoteError(f"{sent.trouble} What is left is sent by the next publish.")
    if sent.failed:
        raise InputError(
            f"{sent.failed} reports were refused for good: mend what is said above, and publish again."
        )
