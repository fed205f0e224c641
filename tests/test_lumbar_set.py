"""The manifest of the open lumbar set, and what is put right or refused in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spine_fracture.anatomy import Level
from spine_fracture.errors import InputError
from spine_fracture.lumbar_set import NotedFinding, read_lumbar_set

LUMBAR = (Level.L1, Level.L2, Level.L3, Level.L4, Level.L5, Level.S1)


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("L2,L4", (Level.L2, Level.L4)),
        ("T12", (Level.T12,)),
        ("L2 large, and s1", (Level.L2, Level.S1)),
        ("multiple", ()),
        ("lower T / upper L", ()),
        ("L12, STIR L 3", (Level.L3,)),
        ("L1L2", (Level.L1, Level.L2)),
        ("L5S1", (Level.L5, Level.S1)),
        ("L5/S1, l5", (Level.L5, Level.S1)),
        ("TH12 and Th 11", (Level.T12, Level.T11)),
        ("C2C3", (Level.C2, Level.C3)),
        ("S2, S12, L123", ()),
    ],
)
def test_levels_named_in_a_note(text: str, levels: tuple[Level, ...]) -> None:
    assert NotedFinding("fracture", text, "").levels == levels


def test_a_name_given_twice_is_put_right_by_order(tmp_path: Path) -> None:
    _write(tmp_path, ["L2", "L2", "L3", "L4", "L5", "S1"], [3, 2])
    (patient,) = read_lumbar_set(tmp_path)
    assert tuple(v.level for v in patient.vertebrae) == LUMBAR
    assert patient.repaired
    assert patient.t1_to_t2 == (-2.0, -3.0)


@pytest.mark.parametrize("content", ["{", "{}", '[{"patient": "1"}]', '[{"patient": "1", "T1": 3}]'])
def test_a_broken_manifest_is_a_clear_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match="manifest"):
        read_lumbar_set(tmp_path)
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=r"manifest\.json"):
        read_lumbar_set(tmp_path)


def test_the_real_set(real_data: Path) -> None:
    patients = read_lumbar_set(real_data / "lumbar_t1t2")
    assert len(patients) == 180
    assert all(tuple(v.level for v in p.vertebrae) == LUMBAR for p in patients)
    assert sum(p.repaired for p in patients) == 2
    by_id = {p.patient: p for p in patients}
    assert by_id["0268"].t1_to_t2 == (-35.0, 0.0)
    assert [f.levels for f in by_id["0571"].findings] == [(Level.L2, Level.L4)]


def _write(folder: Path, names: list[str], shift: list[int]) -> None:
    entry = {
        "patient": "1",
        "T1": {"file": "a.png"},
        "T2": {"file": "b.png"},
        "vertebrae": [{"level": n, "box": [10, 40 * i, 50, 40 * i + 30]} for i, n in enumerate(names)],
        "t1_t2_shift_px": shift,
    }
    (folder / "manifest.json").write_text(json.dumps([entry]))
