"""The split is a pure function of the patient's key, with the promised shares."""

from collections import Counter

from spine_fracture.cohort.splits import Split, split_of


def test_known_patients_never_change_sides() -> None:
    # Written down once: a change here would move patients between training and the locked test.
    assert {key: split_of(key).value for key in KNOWN} == KNOWN


def test_shares_are_a_fifth_and_a_tenth() -> None:
    counts = Counter(split_of(f"phantom-{seed:06d}") for seed in range(20_000))
    assert abs(counts[Split.TEST] / 20_000 - 0.20) < 0.01
    assert abs(counts[Split.VALIDATION] / 20_000 - 0.10) < 0.01


KNOWN = {
    "lumbar-t1t2-0002": "train",
    "lumbar-t1t2-0003": "test",
    "lumbar-t1t2-0009": "train",
    "lumbar-t1t2-0012": "train",
    "lumbar-t1t2-0013": "test",
    "lumbar-t1t2-0015": "train",
    "lumbar-t1t2-0017": "train",
    "lumbar-t1t2-0020": "train",
    "phantom-000000": "train",
    "phantom-000001": "train",
    "phantom-000002": "test",
    "phantom-000003": "train",
    "phantom-000004": "test",
    "phantom-000005": "validation",
}
