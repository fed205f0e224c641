"""DICOMweb over the project's own files, read only but for reports."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from anyio import to_thread
from starlette.responses import Response

from spine_fracture.errors import UnreadablePictureError
from spine_fracture.files import write_atomically
from spine_fracture.server.dicomweb import multipart
from spine_fracture.server.dicomweb.addresses import Address, What
from spine_fracture.server.dicomweb.attributes import PATIENT_ID, PATIENT_NAME, STUDY_UID, Attributes, of
from spine_fracture.server.dicomweb.headers import Header, read_file, read_frames, read_header, under_key
from spine_fracture.server.dicomweb.holdings import HeldFile, HeldSeries, HeldStudy, Holdings
from spine_fracture.server.dicomweb.matching import Query
from spine_fracture.server.dicomweb.pictures import Pictures
from spine_fracture.server.dicomweb.rows import for_rows, instance_row, series_row, study_row
from spine_fracture.server.dicomweb.stow import SentReport
from spine_fracture.server.dicomweb.web import ASK_AGAIN, JSON, KEEP, Question, gone

#: Series whose headers are kept in memory.
_REMEMBERED = 64
_FIRST_KEYS = frozenset({PATIENT_ID, PATIENT_NAME, STUDY_UID})
_NATIVE_PART = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"


@dataclass(frozen=True)
class _Remembered:
    fingerprint: tuple[tuple[str, int, int], ...]
    headers: tuple[Header, ...]


@dataclass(eq=False)
class FolderWeb:
    """Safe to use from several threads."""

    holdings: Holdings
    pictures: Pictures
    _memory: OrderedDict[str, _Remembered] = field(default_factory=OrderedDict)
    _firsts: dict[tuple[Path, int], Header] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    async def answer(self, question: Question) -> Response:
        return await to_thread.run_sync(self._answer, question)

    async def store(self, report: SentReport) -> None:
        path = self.holdings.reports_folder / report.study_uid / f"{report.sop_uid}.dcm"
        await to_thread.run_sync(write_atomically, path, under_key(report.data, report.patient))

    async def close(self) -> None:
        return None

    def _answer(self, question: Question) -> Response:
        address = question.address
        match address.what:
            case What.STUDIES | What.SERIES | What.INSTANCES:
                query = Query.of(question.query)
                return _json(query.page(self._found(question, query)))
            case What.METADATA:
                return _json(h.attributes for h in self._metadata(question))
            case What.FRAMES:
                file = self._file(question)
                frames = read_frames(file.path, address.frames)
                if len(frames) != len(address.frames):
                    raise gone()
                return _related(frames, _NATIVE_PART, not file.is_report)
            case What.FILE:
                file = self._file(question)
                whole = read_file(file.path, file.patient)
                return _related([whole], "application/dicom", not file.is_report)
            case What.SERIES_FILES:
                series, patient = self._series(question)
                return _related(
                    (read_file(path, patient) for path in series.files.values()), "application/dicom", False
                )
            case _:
                raise gone()

    def _found(self, question: Question, query: Query) -> Iterator[Attributes]:
        """Rows of a search, before its page is cut out. Headers are read as far as rows are taken."""
        address = question.address
        for uid, patient in self.holdings.studies():
            known = {
                STUDY_UID: of("UI", uid),
                PATIENT_ID: of("LO", patient),
                PATIENT_NAME: of("PN", {"Alphabetic": patient}),
            }
            if (address.study and uid != address.study) or not query.matches(known, _FIRST_KEYS):
                continue
            study = self._visible(uid, question.pictures_only)
            if study is not None:
                yield from (row for row in self._rows(address, study) if query.matches(row))

    def _rows(self, address: Address, study: HeldStudy) -> Iterator[Attributes]:
        firsts = [(series, self._first(series, study.patient)) for series in study.series]
        there = [(series, header) for series, header in firsts if header is not None]
        if not there:
            return
        whole = study_row(there)
        if address.what is What.STUDIES:
            yield whole
            return
        for series, header in there:
            if address.series not in ("", series.uid):
                continue
            row = series_row(whole, series, header)
            if address.what is What.SERIES:
                yield row
            else:
                headers = self._headers(series, study.patient)
                yield from (instance_row(row, header) for header in headers)

    def _visible(self, study_uid: str, pictures_only: bool) -> HeldStudy | None:
        study = self.holdings.study(study_uid)
        if study is not None and pictures_only:
            shown = self.pictures.of_study(study_uid)
            study = HeldStudy(study.uid, study.patient, tuple(s for s in study.series if shown.shows(s.uid)))
        return study if study is not None and study.series else None

    def _metadata(self, question: Question) -> Iterable[Header]:
        address = question.address
        if not address.series:
            study = self._visible(address.study, question.pictures_only)
            if study is None:
                raise gone()
            return [h for series in study.series for h in self._headers(series, study.patient)]
        series, patient = self._series(question)
        headers = self._headers(series, patient)
        found = [h for h in headers if address.instance in ("", h.sop_uid)]
        if not found:
            raise gone()
        return found

    def _series(self, question: Question) -> tuple[HeldSeries, str]:
        address = question.address
        self._require_shown(question)
        found = self.holdings.series(address.study, address.series)
        if found is None:
            raise gone()
        return found

    def _file(self, question: Question) -> HeldFile:
        address = question.address
        self._require_shown(question)
        found = self.holdings.file(address.study, address.series, address.instance)
        if found is None or not found.path.is_file():
            raise gone()
        return found

    def _require_shown(self, question: Question) -> None:
        address = question.address
        if question.pictures_only and not self.pictures.shows(address.study, address.series):
            raise gone()

    def _first(self, series: HeldSeries, patient: str) -> Header | None:
        """One header of the series, for what all of them say; None when none can be read."""
        for path in series.files.values():
            try:
                key = (path, path.stat().st_mtime_ns)
                if key not in self._firsts:
                    self._firsts[key] = for_rows(read_header(path, patient))
                return self._firsts[key]
            except (OSError, UnreadablePictureError):
                continue
        return None

    def _headers(self, series: HeldSeries, patient: str) -> tuple[Header, ...]:
        """The headers of the files that can be read, in memory unless a file changed."""
        there = [path for path in series.files.values() if path.is_file()]
        now = tuple((str(p), s.st_mtime_ns, s.st_size) for p in there for s in (p.stat(),))
        with self._lock:
            known = self._memory.get(series.uid)
            if known is not None and known.fingerprint == now:
                self._memory.move_to_end(series.uid)
                return known.headers
        headers = tuple(_readable(there, patient))
        if not headers:
            raise gone()
        with self._lock:
            self._memory[series.uid] = _Remembered(now, headers)
            while len(self._memory) > _REMEMBERED:
                self._memory.popitem(last=False)
        return headers


def _readable(paths: Iterable[Path], patient: str) -> Iterator[Header]:
    """One file that was damaged does not take the others with it."""
    for path in paths:
        with suppress(UnreadablePictureError):
            yield read_header(path, patient)


def _json(rows: Iterable[Attributes]) -> Response:
    return Response(
        json.dumps(list(rows), separators=(",", ":")), media_type=JSON, headers={"Cache-Control": ASK_AGAIN}
    )


def _related(parts: Iterable[bytes], part_type: str, is_picture: bool) -> Response:
    message = multipart.join(parts, part_type)
    keep = {"Cache-Control": KEEP if is_picture else ASK_AGAIN}
    return Response(message.body, media_type=message.content_type, headers=keep)
