"""A reader's sitting: levels come one after the other and answers go back, whatever shows the pictures."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spine_fracture_reading.connection import Connection
from spine_fracture_reading.roi import Box


@dataclass(frozen=True)
class Picture:
    """A series to show; ``role`` is ``t1`` or ``t2`` for the two that are read together."""

    uid: str
    role: str
    description: str


@dataclass(frozen=True)
class BoxOnSlice:
    """``box`` in pixels of slice ``slice`` of ``series``, the first pixel covering [0, 1]."""

    series: str
    sop: str
    slice: int
    box: Box

    @classmethod
    def of(cls, given: dict[str, Any]) -> BoxOnSlice:
        x0, y0, x1, y1 = (float(value) for value in given["box"])
        return cls(given["series"], given["sop"], given["slice"], (x0, y0, x1, y1))

    def sent(self) -> dict[str, Any]:
        return {"series": self.series, "sop": self.sop, "slice": self.slice, "box": list(self.box)}


@dataclass(frozen=True)
class StudyLevel:
    """A vertebra of the study with its boxes on the slices of all series."""

    id: int
    name: str
    boxes: tuple[BoxOnSlice, ...]

    def on(self, series: str) -> dict[int, Box]:
        """The boxes on one series, by slice."""
        return {part.slice: part.box for part in self.boxes if part.series == series}


@dataclass(frozen=True)
class Answer:
    """What the reader says. ``name`` and ``box`` are None when they were left as they were."""

    diagnosis: str
    features: tuple[str, ...] = ()
    confidence: int = 3
    basis: str = "imaging"
    note: str = ""
    name: str | None = None
    box: BoxOnSlice | None = None


@dataclass(frozen=True)
class Task:
    """A level to read. ``probabilities`` is empty when the read is blinded, or nothing was predicted.

    ``earlier`` is an answer to begin from: one that was taken back. ``others`` are the reads to decide
    between, as (reader, diagnosis, name).
    """

    level: StudyLevel
    version: int
    study: str
    blinded: bool
    why: str
    lease_seconds: int
    pictures: tuple[Picture, ...]
    views: tuple[BoxOnSlice, ...]
    levels: tuple[StudyLevel, ...]
    names: tuple[str, ...]
    probabilities: dict[str, float]
    uncertainty: float | None
    earlier: Answer | None
    others: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]
    left: int

    @classmethod
    def of(cls, given: dict[str, Any]) -> Task:
        levels = tuple(
            StudyLevel(one["id"], one["name"], tuple(BoxOnSlice.of(box) for box in one["boxes"]))
            for one in given["levels"]
        )
        opinion = given["opinion"] or {"probabilities": {}, "uncertainty": None}
        decides = given["mode"] == "adjudication"
        sure = () if given["numbering_sure"] else ("The numbering is unsure: check the name.",)
        return cls(
            level=next(level for level in levels if level.id == given["level_id"]),
            version=given["level_version"],
            study=given["study"],
            blinded=given["mode"] == "blinded",
            why=given["why"],
            lease_seconds=given["lease_seconds"],
            pictures=tuple(
                Picture(one["uid"], one["role"] or "", one["description"]) for one in given["series"]
            ),
            views=tuple(BoxOnSlice.of(view) for view in given["views"]),
            levels=levels,
            names=tuple(given["names"]),
            probabilities=dict(opinion["probabilities"]),
            uncertainty=opinion["uncertainty"],
            earlier=_earlier(given["draft"]),
            others=tuple((r["reader"], r["diagnosis"], r["name"]) for r in given["reads"] if decides),
            notes=(*given["notes"], *sure),
            left=given["progress"]["left"],
        )

    def to_show(self) -> tuple[Picture, ...]:
        """T1 and T2, or what there is of them."""
        return tuple(picture for picture in self.pictures if picture.role)

    def view_of(self, series: str) -> BoxOnSlice | None:
        """Where to open a series."""
        return next((view for view in self.views if view.series == series), None)


class Sitting:
    """One window's way through a work list.

    ``kept`` is the level that the server keeps for this window; it is given up with :meth:`release`, or when
    its time has run out and :meth:`renew` was not called. ``task`` is the same one once it lies before the
    reader (:meth:`shown`), and None until then: only what was seen is answered.
    """

    def __init__(self, connection: Connection, work_list: str = "assisted") -> None:
        self._connection = connection
        self.work_list = work_list
        self.tab = uuid.uuid4().hex
        self.kept: Task | None = None
        self.task: Task | None = None
        self.message = ""
        self._unsent: tuple[int, Answer, str] | None = None

    def next(self) -> Task | None:
        """The next level, or the same again until it is answered or skipped; None when nothing is left.

        Then ``message`` says so.
        """
        self._unsent = None
        answer = self._connection.post("/review/next", {"list": self.work_list, "tab": self.tab})
        done = answer.get("done")
        self.kept, self.message = (None, str(answer["message"])) if done else (Task.of(answer), "")
        self.task = None
        return self.kept

    def shown(self) -> None:
        """The level that is kept now lies before the reader, with its pictures."""
        self.task = self.kept

    def submit(self, answer: Answer, seconds: float) -> tuple[str, ...]:
        """Send the answer for the level at hand; what the server has to say of it comes back.

        Raises :class:`UnreachableError`, or :class:`SignInNeededError` when the sign-in has run out: then
        the level stays at hand. The same answer for it sent again bears the same token, so that it is stored
        once.
        """
        if self.task is None:
            raise ValueError("No level lies before the reader: show the next one first.")
        task, before = self.task, self._unsent
        same = before is not None and before[:2] == (task.level.id, answer)
        token = before[2] if before is not None and same else uuid.uuid4().hex
        self._unsent = (task.level.id, answer, token)
        said = self._connection.post(
            "/review/reads",
            {
                "level_id": task.level.id,
                "level_version": task.version,
                "tab": self.tab,
                "token": token,
                "diagnosis": answer.diagnosis,
                "features": sorted(answer.features),
                "confidence": answer.confidence,
                "basis": answer.basis,
                "seconds": round(seconds, 1),
                "note": answer.note,
                "name": answer.name,
                "box": answer.box.sent() if answer.box else None,
            },
        )
        self._unsent = self.kept = self.task = None
        return tuple(said["notes"])

    def skip(self, reason: str, note: str = "") -> None:
        """Pass the level that is kept over, shown or not: it does not come again to this reader."""
        if self.kept is None:
            raise ValueError("No level is kept for this window: ask for the next one first.")
        self._unsent = None
        content = {"level_id": self.kept.level.id, "tab": self.tab, "reason": reason, "note": note}
        self._connection.post("/review/skips", content)
        self.kept = self.task = None

    def undo(self) -> Task:
        """Take the last answer back; its level is kept for this window again, with that answer.

        The server is told what the reader sees, so that asking again for an answer that was lost on the way
        takes nothing further back.
        """
        self._unsent = None
        seen = None if self.task is None else self.task.level.id
        self.kept = Task.of(self._connection.post("/review/undo", {"tab": self.tab, "level_id": seen}))
        self.task = None
        return self.kept

    def renew(self) -> None:
        """Keep the level for longer."""
        if self.kept is not None:
            self._connection.post(f"/review/leases/{self.kept.level.id}/renew", {"tab": self.tab})

    def release(self) -> None:
        """Give the level up, so that somebody else may read it."""
        if self.kept is not None:
            self._connection.post("/review/leases/release", {"tab": self.tab})
            self.kept = self.task = None

    def fetch(self, picture: Picture, folder: Path) -> Path:
        """The file of a picture in ``folder``; fetched once. Boxes are in its pixels, which are as stored."""
        file = folder / f"{picture.uid}.nii.gz"
        if not file.is_file():
            self._connection.download("/datastore/image", file, image=picture.uid, stored="true")
        return file


def _earlier(draft: dict[str, Any] | None) -> Answer | None:
    if draft is None:
        return None
    return Answer(
        diagnosis=draft["diagnosis"],
        features=tuple(draft["features"]),
        confidence=draft["confidence"],
        basis=draft["basis"],
        note=draft["note"],
        name=draft["name"],
        box=BoxOnSlice.of(draft["box"]) if draft["box"] else None,
    )
