"""MONAI Label's own Python client drives the loop."""

from __future__ import annotations

import json
from pathlib import Path

from monailabel.client.client import MONAILabelClient
from server.running import RunningServer
from server.studies import LEVELS


def test_the_whole_loop(server: RunningServer, tmp_path: Path) -> None:
    client = MONAILabelClient(server.url, tmpdir=str(tmp_path), client_id="reader-1")
    info = client.info()
    assert set(info["models"]) == {
        "vertebra_detection",
        "fracture_classification",
        "spine_segmentation_twin",
    }
    sample = client.next_sample("uncertainty", {})
    print(json.dumps(sample, indent=1))
    file, answer = client.infer("vertebra_detection", sample["id"], {})
    assert [level["level"] for level in answer["levels"]] == list(LEVELS)
    print(json.dumps(answer["levels"][0], indent=1), file)
    kept = client.save_label(sample["id"], file)
    print(kept)
    print(client.datastore())
