"""People who may sign in at a server of a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from playwright.sync_api import BrowserContext

from spine_fracture.cohort.people import Role
from spine_fracture.cohort.project import open_project
from spine_fracture.cohort.users import add_user

PASSWORD = "correct horse battery"
READER, OTHER_READER, ADJUDICATOR = "reader-1", "reader-2", "senior-1"


def add_people(home: Path, people: Mapping[str, Sequence[Role]]) -> None:
    with open_project(home).transaction() as session:
        for name, roles in people.items():
            add_user(session, name, PASSWORD, roles)


def sign_in(person: BrowserContext, url: str, name: str) -> None:
    """As a person does, in the form."""
    page = person.new_page()
    page.goto(f"{url}/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{url}/")
    page.close()
