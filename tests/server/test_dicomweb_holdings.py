"""Reports beside the catalogue's series: looked for where those that write them put them."""

from __future__ import annotations

from pathlib import Path

import pytest
from server.made_desk import box_of, desk

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.dicom.sr.reading import read_report
from spine_fracture.server.dicomweb import holdings
from spine_fracture.server.dicomweb.headers import read_header
from spine_fracture.server.dicomweb.holdings import Holdings
from spine_fracture.server.dicomweb.rows import for_rows, series_row, study_row


def test_reports_of_other_studies_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = desk(tmp_path)
    data = one.foreign((Level.L1, Diagnosis.NORMAL, box_of(Level.L1)))
    own = one.reports_folder / one.study / "1.dcm"
    for path in (own, one.reports_folder / "1.2.3" / "2.dcm"):
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    opened: list[Path] = []
    read = holdings._read_head
    monkeypatch.setattr(holdings, "_read_head", lambda path: opened.append(path) or read(path))
    study = Holdings(one.project).study(one.study)
    assert study is not None and opened == [own]
    (reports,) = [series for series in study.series if series.is_report]
    assert reports.files == {read_report(data).sop_uid: own}


def test_what_is_kept_of_a_header_is_what_rows_say(tmp_path: Path) -> None:
    one = desk(tmp_path)
    study = Holdings(one.project).study(one.study)
    assert study is not None
    series = study.series[0]
    header = read_header(next(iter(series.files.values())), one.patient)
    kept = for_rows(header)
    assert len(kept.attributes) < len(header.attributes) / 2
    whole = study_row([(series, header)])
    assert study_row([(series, kept)]) == whole
    assert series_row(whole, series, kept) == series_row(whole, series, header)
