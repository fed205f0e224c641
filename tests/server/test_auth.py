"""Nobody passes the gate unknown, and signing in leads nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute
from monailabel.client.client import MONAILabelClient, MONAILabelClientException
from server.readers import PASSWORD, new_user, service_token, signed_in, web
from server.running import RunningServer, running
from server.studies import QuickPipeline

from spine_fracture.cohort.people import Role
from spine_fracture.cohort.project import open_project
from spine_fracture.cohort.users import add_user, change_password, disable_user, remove_token
from spine_fracture.errors import BusyError
from spine_fracture.server import auth
from spine_fracture.server.asgi import ROUTERS, create_app
from spine_fracture.server.attempts import Attempts
from spine_fracture.server.auth import COOKIE, Door
from spine_fracture.server.room import open_room
from spine_fracture.server.routes.common import ServerParts

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
OPEN = {"/sign-in", "/sign-out", "/auth", "/auth/", "/auth/token"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, studies: Path) -> Iterator[RunningServer]:
    with running(tmp_path_factory.mktemp("home"), str(studies), QuickPipeline()) as found:
        for role in (Role.READER, Role.ENGINEER, Role.DATA_MANAGER, Role.ADJUDICATOR):
            new_user(found, f"the-{role.value.replace('_', '-')}", [role])
        yield found


def routes() -> list[tuple[str, str]]:
    """Every method and path that the application answers to."""
    found = []
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            path = re.sub(r"\{[^}]*\}", "1", route.path)
            found += [(method, path) for method in sorted(route.methods)]
    return found


@pytest.mark.parametrize("cookie", [None, "eyJ1c2VyIjoxfQ.aSA_kg.forged"])
def test_no_route_answers_somebody_unknown(server: RunningServer, cookie: str | None) -> None:
    asked = [(method, path) for method, path in routes() if path not in OPEN]
    assert len(asked) > 40
    with web(server) as client:
        if cookie is not None:
            client.cookies.set(COOKIE, cookie)
        for method, path in asked:
            response = client.request(method, path)
            assert response.status_code == 401, f"{method} {path}"
            assert "Sign in first" in response.text or method == "HEAD"


def test_a_browser_is_sent_to_the_sign_in_page_and_back(server: RunningServer) -> None:
    with web(server, Accept="text/html,*/*") as client:
        sent = client.get("/viewer/review?StudyInstanceUIDs=1.2&list=blinded")
        assert (sent.status_code, sent.headers["location"].split("?")[0]) == (303, "/sign-in")
        page = client.get(sent.headers["location"])
        assert "Not for clinical use" in page.text
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert 'value="/viewer/review?StudyInstanceUIDs=1.2&amp;list=blinded"' in page.text
        form = {"name": "the-reader", "password": PASSWORD, "next": "/viewer/review?a=1&b=2"}
        back = client.post("/sign-in", data=form)
        assert (back.status_code, back.headers["location"]) == (303, "/viewer/review?a=1&b=2")
        cookie = back.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert client.get("/").status_code == 200
        assert client.post("/sign-out").headers["location"] == "/sign-in"
        assert client.get("/").status_code == 303


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://elsewhere.example/",
        "//elsewhere.example",
        "/\\elsewhere.example",
        "\\\\elsewhere.example",
        "/\t/elsewhere.example",
        "/\r\nSet-Cookie: a=b",
        "javascript:alert(1)",
        "elsewhere.example",
        "",
    ],
)
def test_signing_in_leads_nowhere_else(server: RunningServer, elsewhere: str) -> None:
    with web(server) as client:
        form = {"name": "the-reader", "password": PASSWORD, "next": elsewhere}
        assert client.post("/sign-in", data=form).headers["location"] == "/"
        page = client.get("/sign-in", params={"next": elsewhere})
        assert 'name="next" value="/"' in page.text


@pytest.mark.parametrize(
    ("name", "password"),
    [("the-reader", "wrong"), ("nobody", PASSWORD), ("", "")],
)
def test_a_wrong_name_and_a_wrong_password_look_the_same(
    server: RunningServer, name: str, password: str
) -> None:
    with web(server) as client:
        page = client.post("/sign-in", data={"name": name, "password": password})
        assert page.status_code == 401
        assert "Name and password do not fit" in page.text
        assert "set-cookie" not in page.headers
        assert client.post("/auth/token", data={"username": name, "password": password}).status_code == 401


def test_other_sites_cannot_sign_a_browser_in(server: RunningServer) -> None:
    with web(server, Origin="https://elsewhere.example") as client:
        form = {"name": "the-reader", "password": PASSWORD}
        assert client.post("/sign-in", data=form).status_code == 403


def test_a_session_ends(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = signed_in(server, "the-reader")
    token = _token(server, "the-reader")
    assert _status(server, COOKIE, reader.web.cookies[COOKIE]) == 200
    monkeypatch.setattr(auth, "SESSION_S", -1)
    assert reader.web.get("/review/me").status_code == 401
    assert _status(server, "bearer", token) == 401


def test_one_kind_of_proof_is_not_another_and_none_can_be_changed(server: RunningServer) -> None:
    cookie = signed_in(server, "the-reader").web.cookies[COOKIE]
    token = _token(server, "the-reader")
    assert _status(server, "bearer", token) == 200
    assert _status(server, "bearer", cookie) == 401
    assert _status(server, COOKIE, token) == 401
    for at in range(0, len(cookie), 7):
        changed = cookie[:at] + ("A" if cookie[at] != "A" else "B") + cookie[at + 1 :]
        assert _status(server, COOKIE, changed) == 401


def test_the_key_of_another_project_opens_nothing(server: RunningServer, tmp_path: Path) -> None:
    other = open_project(tmp_path / "other")
    with other.transaction() as session:
        add_user(session, "the-reader", PASSWORD, [Role.READER])
    assert _status(server, COOKIE, Door(other).cookie("the-reader", PASSWORD)) == 401


def test_who_is_disabled_or_has_a_new_password_is_out(server: RunningServer) -> None:
    for name in ("leaves", "changes"):
        new_user(server, name)
    leaves, changes = signed_in(server, "leaves"), signed_in(server, "changes")
    with server.room.project.transaction() as session:
        disable_user(session, "leaves")
        change_password(session, "changes", "quite another one")
    for reader, name in ((leaves, "leaves"), (changes, "changes")):
        assert reader.web.get("/review/me").status_code == 401
        form = {"name": name, "password": PASSWORD}
        assert web(server).post("/sign-in", data=form).status_code == 401


def test_monai_labels_client_signs_in(server: RunningServer, tmp_path: Path) -> None:
    client = MONAILabelClient(server.url, tmpdir=str(tmp_path))
    assert client.auth_enabled()
    assert not client.auth_valid_token()
    with pytest.raises(MONAILabelClientException):
        client.info()
    with pytest.raises(MONAILabelClientException):
        client.auth_token("the-reader", "wrong")
    client.update_auth(client.auth_token("the-reader", PASSWORD))
    assert client.auth_valid_token()
    assert client.info()["models"]
    assert client.next_sample("uncertainty", {})["level_id"]
    with pytest.raises(MONAILabelClientException, match="role engineer"):
        client.train_start("fracture_classification", {})


def test_a_service_token_opens_what_readers_programs_need_and_no_more(server: RunningServer) -> None:
    with web(server, Authorization=f"Bearer {service_token(server, 'slicer')}") as client:
        assert client.get("/info/").status_code == 200
        assert client.post("/activelearning/uncertainty", json={"client_id": "x"}).status_code == 200
        foreign = client.post("/activelearning/uncertainty", json={"client_id": "sr-0123456789"})
        assert foreign.status_code == 422 and "authors of reports" in foreign.text
        for method, path in (
            ("GET", "/train/"),
            ("GET", "/scoring/"),
            ("GET", "/batch/infer"),
            ("GET", "/report/"),
        ):
            assert client.request(method, path).status_code == 403, path
        assert client.post("/review/next", json={"list": "assisted", "tab": "t"}).status_code == 403
        with server.room.project.transaction() as session:
            remove_token(session, "slicer")
        assert client.get("/info/").status_code == 401


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("the-reader", ["/review/progress?tab=t"], ["/train/", "/batch/infer", "/scoring/", "/report/"]),
        ("the-engineer", ["/train/", "/batch/infer", "/scoring/"], ["/review/progress?tab=t"]),
        ("the-data-manager", ["/report/"], ["/train/", "/review/progress?tab=t"]),
        (
            "the-adjudicator",
            ["/review/progress?tab=t&list=adjudication"],
            ["/train/", "/review/progress?tab=t", "/report/"],
        ),
    ],
)
def test_a_role_opens_its_own_doors(
    server: RunningServer, name: str, allowed: list[str], refused: list[str]
) -> None:
    client = signed_in(server, name).web
    assert client.get("/review/me").json()["roles"] == [name.removeprefix("the-").replace("-", "_")]
    for path in allowed:
        assert client.get(path).status_code in (200, 404), path
    for path in refused:
        response = client.get(path)
        assert response.status_code == 403, path
        assert "role" in response.json()["detail"]


def test_who_guesses_is_slowed_down_and_then_locked_out_for_a_while() -> None:
    time = [1000.0]
    attempts = Attempts(clock=lambda: time[0], delay=0.0)
    for _ in range(5):
        with attempts.checking("a"):
            pass
        attempts.failed("a")
    with pytest.raises(BusyError, match="wait a minute"), attempts.checking("a"):
        pass
    with attempts.checking("b"):
        pass
    time[0] += 61
    with attempts.checking("a"):
        pass
    attempts.failed("a")
    attempts.succeeded("a")
    with attempts.checking("a"):
        pass


def test_only_so_many_passwords_are_checked_at_once() -> None:
    attempts = Attempts()
    held = [attempts.checking(str(n)) for n in range(4)]
    for one in held:
        one.__enter__()
    with pytest.raises(BusyError, match="few seconds"), attempts.checking("5"):
        pass
    held[0].__exit__(None, None, None)
    with attempts.checking("5"):
        pass


def test_a_project_without_users_answers_to_its_own_machine_alone(tmp_path: Path) -> None:
    room = open_room(tmp_path, None, "here", QuickPipeline)
    app = create_app(lambda: room)
    app.state.parts = ServerParts.of(room)

    def status(address: str, path: str = "/review/me") -> int:
        import anyio

        async def ask() -> int:
            transport = httpx.ASGITransport(app, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
                return (await client.get(path)).status_code

        return anyio.run(ask)

    assert [status(a) for a in ("127.0.0.1", "::1", "192.0.2.7", "2001:db8::1", "")] == [
        200,
        200,
        401,
        401,
        401,
    ]
    with room.project.transaction() as session:
        add_user(session, "somebody", PASSWORD, [Role.READER])
    assert status("127.0.0.1") == 401


def _token(server: RunningServer, name: str) -> str:
    form = {"username": name, "password": PASSWORD}
    return str(web(server).post("/auth/token", data=form).json()["access_token"])


def _status(server: RunningServer, kind: str, proof: str) -> int:
    with web(server) as client:
        if kind == COOKIE:
            client.cookies.set(COOKIE, proof)
        else:
            client.headers["Authorization"] = f"Bearer {proof}"
        return client.get("/review/me").status_code
