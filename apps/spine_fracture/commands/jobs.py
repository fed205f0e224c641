"""``spine-fracture jobs``: trainings that run beside the server, what became of them, and their way on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from spine_fracture.errors import NotFoundError

if TYPE_CHECKING:
    from spine_fracture.training.jobs import Job, JobStore

jobs = typer.Typer(
    help="Trainings that were started in the viewer or in Slicer: list, log, cancel, resume.",
    invoke_without_command=True,
)
Name = Annotated[str | None, typer.Argument(help="A job's name. Default: the newest that it can be done to.")]


def register(cli: typer.Typer) -> None:
    cli.add_typer(jobs, name="jobs")


@jobs.callback()
def show(context: typer.Context) -> None:
    """All jobs, oldest first, and why those that failed did."""
    if context.invoked_subcommand is not None:
        return
    console, known = Console(), _store().list()
    if not known:
        console.print("No training was started from a client yet.")
        return
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    for heading in ("Job", "State", "Tries", "Began (UTC)", "Ended"):
        table.add_column(heading, no_wrap=True)
    for job in known:
        table.add_row(job.id, job.state, str(job.attempts), _minute(job.started), _minute(job.ended))
    console.print(table)
    for job in known:
        if job.reason:  # whole lines, so that a command in them can be copied
            console.print(f"{job.id}: {job.reason}", soft_wrap=True, highlight=False, markup=False)


@jobs.command()
def log(
    name: Name = None, lines: Annotated[int, typer.Option(help="How many, from the end.", min=1)] = 100
) -> None:
    """The last lines that a job printed."""
    store = _store()
    for line in store.log(_named(store, name, lambda job: job.state == "running").id, lines):
        typer.echo(line)


@jobs.command()
def cancel(name: Name = None) -> None:
    """Take a job out of the queue, or stop it; it keeps its checkpoint, and can be resumed."""
    store = _store()
    _tell(store.cancel(_named(store, name, _may_become("cancelled")).id))


@jobs.command()
def resume(name: Name = None) -> None:
    """Queue a job again that failed, was cancelled or died with the machine: it goes on where it was."""
    store = _store()
    _tell(store.resume(_named(store, name, _may_become("queued")).id))


def _store() -> JobStore:
    from spine_fracture.cohort.project import open_project
    from spine_fracture.training.jobs import JobStore

    return JobStore(open_project().settings.jobs_folder)


def _may_become(state: str) -> Callable[[Job], bool]:
    from spine_fracture.training.jobs import JobState

    return lambda job: job.may_become(JobState(state))


def _named(store: JobStore, name: str | None, meant: Callable[[Job], bool]) -> Job:
    """The job of this name; without one the newest that is meant, or else the newest of all."""
    if name is not None:
        return store.get(name)
    known = store.list()
    if not known:
        raise NotFoundError("No training was started from a client yet.")
    return next((job for job in reversed(known) if meant(job)), known[-1])


def _tell(job: Job) -> None:
    Console().print(f"{job.id} is {job.state}.", highlight=False)


def _minute(moment: str | None) -> str:
    return moment[5:16].replace("T", " ") if moment else "-"
