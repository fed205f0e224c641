"""Blinded means blinded: by whatever route, a blinded reader learns nothing of what models and others say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import httpx
import pytest
from fastapi.routing import APIRoute
from server.conftest import USERS
from server.readers import Reader, Task, answer, new_user, signed_in, web
from server.running import RunningServer, running
from server.studies import QuickPipeline, image_id, study_uid, write_study
from sqlalchemy import update

from spine_fracture.cohort.columns import now
from spine_fracture.cohort.desk import Lease
from spine_fracture.imaging import PairedStack
from spine_fracture.levels import StudyReading
from spine_fracture.server.asgi import ROUTERS
from spine_fracture.server.inference import ModelName
from spine_fracture.server.routes.infer import Output

#: A training and a test patient.
TRAINS, JUDGES = "phantom-000001", "phantom-000004"
#: What the models say, in numbers and words that nothing else says.
PROBABILITIES = (0.012345, 0.054321, 0.876543, 0.056791)
REASON = "the models were at odds"
SAID_BY_MODELS = ("0.012345", "0.054321", "0.876543", "0.056791", REASON)
SECRETS = (*SAID_BY_MODELS, "what the first reader thinks", "reader-1")
#: Work that takes long, or ends the session of whoever asks.
_EXPLAINED = ("/review/levels/{level_id}/heatmap", "/review/levels/{level_id}/similar")
_LEFT_OUT = {"/sign-out", "/train/", "/train/{model}", "/batch/infer/{model}", "/scoring/{method}"}


@dataclass(eq=False)
class TalkativePipeline(QuickPipeline):
    def read(self, pair: PairedStack, study_uid: str) -> StudyReading:
        said = super().read(pair, study_uid)
        levels = (replace(lv, probabilities=PROBABILITIES, reasons=(REASON,)) for lv in said.levels)
        return replace(said, levels=tuple(levels))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("blinding")
    for patient in (TRAINS, JUDGES):
        write_study(folder / "studies", patient)
    with running(folder / "home", str(folder / "studies"), TalkativePipeline(), "double") as found:
        while found.room.ahead.one_more():
            pass
        for name, roles in USERS.items():
            new_user(found, name, roles)
        first = signed_in(found, "reader-1").at("first")
        for study in (study_uid(TRAINS), study_uid(JUDGES)):
            task = first.next("blinded", study=study)
            answer(first.submit(task, "hemangioma", note="what the first reader thinks"))
        yield found


@pytest.fixture(autouse=True)
def nobody_at_the_desk(server: RunningServer) -> None:
    """Whoever read in the test before has closed every window."""
    with server.room.project.transaction() as session:
        session.execute(update(Lease).values(ended=now()))


def everything(client: httpx.Client, task: Task, *but: str) -> Iterator[tuple[str, httpx.Response]]:
    """What every route answers that is asked for this task's level, study and pictures."""
    image = task["series"][0]["uid"]
    values = {
        "level_id": str(task["level_id"]),
        "study_uid": task["study"],
        "model": "vertebra_detection",
        "strategy": "uncertainty",
        "method": "reader_agreement",
        "name": "report.json",
        "name:path": "report.json",
        "path": f"studies/{task['study']}/series",
        "path:path": f"studies/{task['study']}/series",
    }
    window = {"tab": "another", "list": "assisted", "study": task["study"], "count": 3}
    query = {
        "image": image,
        "label": image,
        "tag": "final",
        "series": image,
        "slice": 2,
        "output": "all",
        "tab": "another",
    }
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            if route.path in (*_LEFT_OUT, *but) or not route.methods <= {"GET", "POST", "HEAD"}:
                continue
            path = route.path
            for key, value in values.items():
                path = path.replace("{" + key + "}", value)
            for method in route.methods:
                body = {"json": window} if method == "POST" and path.startswith("/review") else {}
                yield f"{method} {path}", client.request(method, path, params=query, **body)
    for model in ("fracture_classification", "spine_segmentation_twin"):
        for output in Output:
            path = f"/infer/{model}"
            yield path, client.post(path, params={"image": image, "output": output})
    for path in ("/datastore/?output=all", "/datastore/?output=train", "/info/"):
        yield path, client.get(path)


@pytest.mark.parametrize(("name", "work_list"), [("chief", "blinded"), ("reader-2", "second")])
@pytest.mark.parametrize("patient", [TRAINS, JUDGES])
def test_no_route_tells_a_blinded_reader_anything(
    server: RunningServer, name: str, work_list: str, patient: str
) -> None:
    reader = signed_in(server, name).at(f"{work_list} {patient}")
    task = reader.next(work_list, study=study_uid(patient))
    assert (task["mode"], task["opinion"], task["why"], task["reads"]) == ("blinded", None, "next level", [])
    seen = {}
    for asked, response in everything(reader.web, task):
        assert response.status_code != 500, asked
        told = [secret for secret in SECRETS if secret in response.text]
        assert not told, f"{asked} tells {told}"
        seen[asked] = response.status_code
    assert len(seen) > 40
    image = task["series"][0]["uid"]
    for model in ModelName:
        assert reader.web.post(f"/infer/{model}", params={"image": image}).status_code == 403
    assert seen[f"GET /review/levels/{task['level_id']}/heatmap"] == 403
    assert seen[f"GET /review/levels/{task['level_id']}/similar"] == 403
    assert seen["GET /datastore/label"] == 403
    assert seen["POST /review/upcoming"] == 422  # it takes no study: asked rightly below
    coming = reader.post("upcoming", list="assisted", count=5)
    assert not any(secret in coming.text for secret in SECRETS)


def test_the_same_words_reach_a_reader_who_may_know_them(server: RunningServer) -> None:
    """Else the test above would prove nothing."""
    reader = signed_in(server, "chief").at("assisted")
    task = reader.next(level_id=_helped(reader))
    assert list(task["opinion"]["probabilities"].values()) == list(PROBABILITIES)
    told = "".join(response.text for _, response in everything(reader.web, task, *_EXPLAINED))
    assert all(said in told for said in SAID_BY_MODELS)


def test_what_models_say_of_a_judging_patient_is_told_to_engineers_alone(server: RunningServer) -> None:
    image = image_id(JUDGES)
    for name in ("reader-1", "adjudicator"):
        client = signed_in(server, name).web
        for model in ModelName:
            response = client.post(f"/infer/{model}", params={"image": image})
            assert (response.status_code, "judges the models" in response.text) == (403, True)
        level = _level_of(server, JUDGES)
        for kind in ("heatmap?series=1&slice=1", "similar"):
            assert client.get(f"/review/levels/{level}/{kind}").status_code == 403
    assert (
        signed_in(server, "chief").web.post("/infer/vertebra_detection", params={"image": image}).is_success
    )


def test_who_reads_blinded_in_one_window_gets_no_help_in_another(server: RunningServer) -> None:
    chief = signed_in(server, "chief")
    helped = chief.at("assisted").next(level_id=_helped(chief))
    assert helped["opinion"]
    blinded = chief.at("blinded").next("blinded", study=study_uid(JUDGES))
    assert blinded["mode"] == "blinded"
    again = chief.at("assisted").next()
    assert (again["level_id"], again["opinion"], again["why"]) == (helped["level_id"], None, "next level")
    assert chief.at("third").next(study=study_uid(TRAINS))["mode"] == "blinded"
    chief.at("blinded").post("leases/release")
    chief.at("third").post("leases/release")
    assert chief.at("assisted").next()["opinion"]


def test_a_level_of_a_judging_patient_is_blinded_whatever_is_asked_for(server: RunningServer) -> None:
    reader = signed_in(server, "reader-2").at("judging")
    task = reader.next("assisted", study=study_uid(JUDGES))
    assert (task["mode"], task["opinion"]) == ("blinded", None)
    kept = answer(reader.submit(task))
    assert kept["read"]["mode"] == "blinded"


def test_of_a_study_a_reader_sees_own_reads_until_it_is_settled(server: RunningServer) -> None:
    query = {"label": image_id(TRAINS), "tag": "final"}
    own = signed_in(server, "reader-1").web.get("/datastore/label", params=query).json()
    assert {read["reader"] for read in own["reads"]} == {"reader-1"}
    other = signed_in(server, "reader-2").web.get("/datastore/label", params=query)
    assert other.status_code == 404
    for name in ("adjudicator", "chief"):
        everybodys = signed_in(server, name).web.get("/datastore/label", params=query).json()
        assert {read["reader"] for read in everybodys["reads"]} == {"reader-1"}


def test_nobody_reads_under_another_name(server: RunningServer) -> None:
    client = signed_in(server, "reader-2").web
    query = {"label": image_id(TRAINS), "tag": "final", "client_id": "reader-1", "reader": "reader-1"}
    assert client.get("/datastore/label", params=query).status_code == 404
    body = {"list": "assisted", "tab": "t", "reader": "reader-1"}
    assert client.post("/review/next", json=body).status_code == 422


def test_a_blinded_reader_can_tell_no_test_patient_from_the_rest(server: RunningServer) -> None:
    """Tasks of either kind have the same keys, words and list."""
    reader = signed_in(server, "reader-1").at("compare")
    shapes = []
    for patient in (TRAINS, JUDGES):
        task = reader.next("blinded", study=study_uid(patient))
        shapes.append((sorted(task), task["why"], task["mode"], task["list"], task["notes"]))
        assert not any(word in str(task) for word in ("split", "validation", "'test'"))
    assert shapes[0] == shapes[1]


def test_the_page_of_somebody_else_is_not_mine(server: RunningServer) -> None:
    with web(server) as unknown:
        assert unknown.get("/review/me").status_code == 401
    page = signed_in(server, "reader-2").web.get("/").text
    assert "reader-1" not in page
    assert "Cohort" not in page


def _helped(reader: Reader) -> int:
    """A level that this reader gets with help."""
    study = study_uid(TRAINS)
    for level in reader.at("looking").next("blinded", study=study)["levels"]:
        reader.at("looking").post("leases/release")
        task = reader.at("looking").next(level_id=level["id"])
        if task["mode"] == "assisted":
            reader.at("looking").post("leases/release")
            return int(task["level_id"])
    pytest.fail("every level is blinded for this reader")


def _level_of(server: RunningServer, patient: str) -> int:
    reader = Reader(signed_in(server, "chief").web, "looking")
    task = reader.next("blinded", study=study_uid(patient))
    reader.post("leases/release")
    return int(task["level_id"])
