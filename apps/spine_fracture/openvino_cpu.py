"""OpenVINO on the CPU, as detectors and classifiers are served with it."""

from __future__ import annotations

import threading
from typing import Any

import openvino

#: Full precision, so that the answers are the reference's; one picture after the other as fast as may be.
_HINTS = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
_lock = threading.Lock()
_cores: list[openvino.Core] = []


def compiled(model: Any) -> openvino.CompiledModel:
    """``model``, as :func:`openvino.convert_model` gives it, ready to run.

    All are compiled by one core: a process with a core for every model was seen to die at its end.
    """
    with _lock:
        if not _cores:
            _cores.append(openvino.Core())
    return _cores[0].compile_model(model, "CPU", _HINTS)
