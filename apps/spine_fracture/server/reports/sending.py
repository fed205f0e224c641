"""Sending what waits in the outbox: writing each report once, storing it, and trying again later."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import dcmread

from spine_fracture.cohort.project import Project
from spine_fracture.cohort.protocol import ProtocolConfig
from spine_fracture.dicom.sr.statements import Form, StudyReport
from spine_fracture.errors import SpineFractureError
from spine_fracture.files import locked, write_atomically
from spine_fracture.server.companion import Companion
from spine_fracture.server.dicomweb.holdings import Holdings
from spine_fracture.server.reports import outbox
from spine_fracture.server.reports.authors import Kind, author_of
from spine_fracture.server.reports.content import pictured
from spine_fracture.server.reports.delivery import Delivery
from spine_fracture.server.reports.later import LATER, told

_log = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0
LONGEST_WAIT_S = 300.0
#: Writing starts when the reader has the next level before them: it would take time from showing it.
SETTLE_S = 2.0
_DEFECT = "It could not be written, which is a defect of ours: tell the engineers."


@dataclass(frozen=True)
class Sent:
    """What one pass through the outbox came to.

    ``refusals`` say of each report that failed for good why; ``trouble`` is empty when nothing is left for
    later.
    """

    stored: int
    refusals: tuple[str, ...]
    trouble: str = ""

    @property
    def failed(self) -> int:
        return len(self.refusals)


@dataclass(eq=False)
class Sender:
    """Writes and stores the reports of one kind that wait.

    One at a time on a project, whichever process it is in.
    """

    project: Project
    protocol: ProtocolConfig
    delivery: Delivery
    kind: Kind = Kind.READER
    look_every_s: float = LOOK_EVERY_S
    _companion: Companion = field(default_factory=lambda: Companion("reports out"))

    def start(self) -> None:
        self._companion.start(self._run)

    def close(self) -> None:
        self._companion.close()

    def send(
        self, progress: Callable[[int, int], None] = lambda done, total: None, *, settle_s: float = 0.0
    ) -> Sent:
        """One pass through the outbox; it ends where archive, disk or database would not now.

        ``progress`` is told (reports done, reports in all). Reports of the last ``settle_s`` seconds wait.
        """
        stored, refusals = 0, list[str]()
        rows = outbox.waiting(self.project, self.kind, self.delivery.folder, settle_s)
        if not rows:
            return Sent(0, ())
        with locked(self.project.home / "outbox"):
            for number, row_id in enumerate(rows):
                progress(number, len(rows))
                try:
                    stored += self._send(row_id)
                except LATER as error:
                    outbox.note_trouble(self.project, row_id, told(error), for_good=False)
                    return Sent(stored, tuple(refusals), told(error))
                except SpineFractureError as error:
                    refusals.append(str(error))
                    outbox.note_trouble(self.project, row_id, str(error), for_good=True)
                except Exception as error:
                    refusals.append(_DEFECT)
                    _log.error("A report cannot be written: %s", type(error).__name__)
                    outbox.note_trouble(self.project, row_id, _DEFECT, for_good=True)
        return Sent(stored, tuple(refusals))

    def _send(self, row_id: int) -> int:
        given = outbox.assign(self.project, row_id, self.protocol, self.delivery.folder)
        if given is None:
            return 0
        if not given.path.is_file():
            data = self._written(given)
            if given.replaces and _says_the_same(data, given.replaces[1]):
                outbox.drop(self.project, row_id)
                return 0
            write_atomically(given.path, data)
        self.delivery.store(given.path.read_bytes())
        outbox.note_stored(self.project, row_id)
        return 1

    def _written(self, given: outbox.Assignment) -> bytes:
        from spine_fracture.dicom.sr.writing import write_report

        found = pictured(given.study_uid, given.said, given.tracking, Holdings(self.project))
        report = StudyReport(
            author=author_of(given.author),
            statements=found.statements,
            series_uid=given.series_uid,
            sop_uid=given.sop_uid,
            instance_number=given.instance_number,
            replaces=given.replaces[0] if given.replaces else None,
        )
        data = write_report(report, Form(given.form.value), found.images)
        return self.delivery.prepared(data, given.patient_key)

    def _run(self) -> None:
        is_ready, wait = False, 0.0
        while not self._companion.closing.wait(wait):
            try:
                if not is_ready:
                    self._prepare()
                    is_ready = True
                trouble = self.send(settle_s=SETTLE_S).trouble
            except SpineFractureError as error:
                trouble = str(error)
            except Exception as error:
                trouble = type(error).__name__
            if trouble:
                wait = min(2 * max(wait, self.look_every_s), LONGEST_WAIT_S)
                _log.warning("Reports wait for %.0f s: %s", wait, trouble)
            else:
                wait = self.look_every_s

    def _prepare(self) -> None:
        # highdicom takes seconds to import: not after a read, when the reader waits for the next level.
        import_module("spine_fracture.dicom.sr.writing")
        outbox.retry_failed(self.project, self.kind)


def _says_the_same(data: bytes, before: Path) -> bool:
    """Whether the content of a new report is that of the file of the one before it, if it is still there."""
    if not before.is_file():
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        new, old = (_content(dcmread(BytesIO(one))) for one in (data, before.read_bytes()))
    return bool(new == old)


def _content(ds: Any) -> Any:
    return ds.get("ContentSequence")
