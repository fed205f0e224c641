"""Reads out of reports that others wrote: matched to levels, with their author kept, and never blinded.

What the author saw when they drew cannot be known, so these reads are assisted: they teach, and of
validation and test patients they judge nothing. Free text of a report stays in the report, because it
may name people.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from spine_fracture.anatomy import Basis
from spine_fracture.cohort.audit import record
from spine_fracture.cohort.models import ReadMode, Study, StudyLevel
from spine_fracture.cohort.patients import names
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.protocol import ProtocolConfig
from spine_fracture.cohort.reads import ReadSubmission, standing_reads, submit_read, withdraw_read
from spine_fracture.cohort.reports import OVERTAKEN, ArrivalState, ReceivedReport
from spine_fracture.dicom.grid import SeriesGrid
from spine_fracture.dicom.sr.codes import MANUFACTURER, OHIF_TOOLS
from spine_fracture.dicom.sr.found import FoundRegion, FoundReport, FoundStatement
from spine_fracture.dicom.sr.reading import read_report
from spine_fracture.errors import ConflictError, InputError, SpineFractureError
from spine_fracture.server.dicomweb.holdings import Holdings
from spine_fracture.server.read_forms import UNSTATED_CONFIDENCE
from spine_fracture.server.reports.arrivals import UNKNOWN_STUDY
from spine_fracture.server.reports.matching import Match, Picture, UnmatchedError, match
from spine_fracture.server.reports.outbox import queue_reports

_TOKEN = "sr-"
NOT_READ_YET = "The models have not found the levels of its study yet: it is looked at again when they have."
_BY_A_PROGRAM = "A program wrote it, not a person: only people's reads are taken in."
_OTHER_PATIENT = "It names another patient than the study it belongs to: it was not taken in."
_OWN_READ = "You read this level in the reading room: correct your read there."
_DECIDED = "This level was adjudicated meanwhile: its reads stay as they are."


@dataclass(eq=False)
class Intake:
    """Takes reports into the catalogue of one project."""

    project: Project
    protocol: ProtocolConfig

    def take(self, row_id: int, data: bytes) -> None:
        """What the report of row ``row_id`` says, as reads; the row tells what came of it.

        All in one transaction: a report is taken in once, however often it comes.
        """
        try:
            found = read_report(data)
        except InputError as error:
            self.give_up(row_id, str(error))
            return
        # Files are read before the transaction: everybody else's writes wait for its end.
        pictures = _Pictures.of(Holdings(self.project), found)
        with self.project.transaction() as session:
            row = session.get_one(ReceivedReport, row_id, with_for_update=True)
            if row.state in (ArrivalState.TAKEN, ArrivalState.OURS):
                return
            study = session.scalar(select(Study).where(Study.uid == found.study_uid))
            why = self._why_not(found, study)
            if why or study is None:
                _finish(session, row, ArrivalState.UNMATCHED, why or UNKNOWN_STUDY)
            elif not study.levels:
                row.reason = NOT_READ_YET
            else:
                _Taking(session, study, found, row, self.protocol, pictures).run()

    def _why_not(self, found: FoundReport, study: Study | None) -> str:
        """Why nothing of a report may be taken in, or nothing."""
        if found.observer.is_device:
            return _BY_A_PROGRAM
        if study is None:
            return UNKNOWN_STUDY
        if not names(study.patient, found.patient_id, self.project.home):
            return _OTHER_PATIENT
        return "" if found.statements else " ".join(found.problems)

    def give_up(self, row_id: int, why: str) -> None:
        """Nothing of the report of row ``row_id`` can be taken in; one that was taken in stays so."""
        with self.project.transaction() as session:
            row = session.get_one(ReceivedReport, row_id, with_for_update=True)
            if row.state not in (ArrivalState.TAKEN, ArrivalState.OURS):
                _finish(session, row, ArrivalState.UNMATCHED, why)


@dataclass(frozen=True)
class _Pictures:
    """The pictures that a report is drawn on: UIDs of their series, and the grids of those that open."""

    series: Mapping[str, str]
    grids: Mapping[str, SeriesGrid]

    @classmethod
    def of(cls, holdings: Holdings, found: FoundReport) -> _Pictures:
        drawn_on = {one.region.sop_uid for one in found.statements if one.region}
        held = holdings.study(found.study_uid)
        pictures = [series for series in held.series if not series.is_report] if held else []
        grids: dict[str, SeriesGrid] = {}
        for one in pictures:
            if not drawn_on.isdisjoint(one.files):
                with suppress(SpineFractureError):  # its statements will say that it does not open
                    grids[one.uid] = SeriesGrid.of_files(dict.fromkeys(one.files.values()))
        return cls({uid: one.uid for one in pictures for uid in one.files if uid in drawn_on}, grids)

    def find(self, study: Study, region: FoundRegion) -> Picture | None:
        uid = self.series.get(region.sop_uid)
        series = next((one for one in study.series if one.uid == uid), None)
        if uid is None or series is None:
            return None
        try:
            grid = self.grids[uid]
            return Picture(series, grid, grid.index_of(region.sop_uid, region.frame))
        except (KeyError, SpineFractureError):
            raise UnmatchedError(
                "The pictures that it is drawn on cannot be opened any more: ingest the study again."
            ) from None


@dataclass(eq=False)
class _Taking:
    """One report on its way in, in one transaction."""

    session: Session
    study: Study
    found: FoundReport
    row: ReceivedReport
    protocol: ProtocolConfig
    pictures: _Pictures

    def run(self) -> None:
        touched: dict[int, StudyLevel] = {}
        unmatched: list[str] = []
        for number, statement in enumerate(self.found.statements):
            try:
                level = self._take(number, statement)
                touched[level.id] = level
            except (UnmatchedError, InputError, ConflictError) as why:
                name = statement.level or "A box"
                unmatched.append(f"{name}: {why}")
        unmatched += self._take_back(touched)
        for level in touched.values():
            queue_reports(self.session, level, self.protocol)
        self.row.unmatched = unmatched
        taken = bool(touched) or not unmatched
        _finish(
            self.session,
            self.row,
            ArrivalState.TAKEN if taken else ArrivalState.UNMATCHED,
            " ".join(self.found.problems),
        )
        self._overtake()

    def _take(self, number: int, statement: FoundStatement) -> StudyLevel:
        is_ohifs = statement.tool.startswith(OHIF_TOOLS) and self.found.manufacturer != MANUFACTURER
        matched = match(self.study, statement, partial(self.pictures.find, self.study), is_ohifs=is_ohifs)
        reader = self.row.author
        own = [r for r in standing_reads(matched.level, reader) if not r.token.startswith(_TOKEN)]
        if own:
            raise UnmatchedError(_OWN_READ)
        submit_read(self.session, self._submission(number, statement, matched))
        return matched.level

    def _submission(self, number: int, statement: FoundStatement, matched: Match) -> ReadSubmission:
        assert statement.diagnosis is not None  # else it would not have been matched
        return ReadSubmission(
            level_id=matched.level.id,
            reader=self.row.author,
            mode=ReadMode.ASSISTED,
            diagnosis=statement.diagnosis,
            features=statement.features,
            confidence=statement.confidence or UNSTATED_CONFIDENCE,
            seconds=0.0,
            token=f"{_mark(self.found.sop_uid)}{number:04d}",
            basis=statement.basis or Basis.IMAGING,
            name_given=matched.name,
            box=matched.box,
        )

    def _take_back(self, touched: dict[int, StudyLevel]) -> list[str]:
        """Withdraw what earlier reports said that this one takes the place of, and this one does not say.

        A withdrawn read puts the one before it back, which is of an earlier report too: so on until none is.
        """
        older, said, stuck = self._older(), frozenset(touched), dict[int, str]()
        levels = [level for level in self.study.levels if level.id not in said]
        while True:
            left = [
                read
                for level in levels
                for read in standing_reads(level, self.row.author)
                if read.id not in stuck and any(read.token.startswith(mark) for mark in older)
            ]
            if not left:
                return list(stuck.values())
            for read in left:
                try:
                    withdraw_read(self.session, read.id, self.row.author)
                    touched[read.level_id] = read.level
                except ConflictError:
                    stuck[read.id] = f"{read.name_given}: {_DECIDED}"

    def _older(self) -> frozenset[str]:
        """Marks of the reports that this one takes the place of: its predecessors and its series so far."""
        same_series = self.session.scalars(
            select(ReceivedReport.sop_uid).where(
                ReceivedReport.series_uid == self.found.series_uid,
                ReceivedReport.sop_uid != self.found.sop_uid,
            )
        )
        return frozenset(_mark(uid) for uid in (*self.found.replaces, *same_series))

    def _overtake(self) -> None:
        """Predecessors that have not come yet are done with when they do."""
        for uid in self.found.replaces:
            known = self.session.scalar(select(ReceivedReport).where(ReceivedReport.sop_uid == uid))
            if known is None:
                self.session.add(
                    ReceivedReport(
                        sop_uid=uid,
                        series_uid=self.found.series_uid,
                        study_uid=self.found.study_uid,
                        author=self.row.author,
                        state=ArrivalState.TAKEN,
                        reason=OVERTAKEN,
                    )
                )


def _finish(session: Session, row: ReceivedReport, state: ArrivalState, reason: str) -> None:
    row.state, row.reason = state, reason[:500]
    details: dict[str, object] = {"unmatched": len(row.unmatched or [])}
    record(session, f"report.{state}", f"report:{row.sop_uid}", actor=row.author[:64], details=details)


def _mark(sop_uid: str) -> str:
    """What the tokens of all reads out of one report begin with."""
    return f"{_TOKEN}{hashlib.sha256(sop_uid.encode()).hexdigest()[:40]}-"
