"""What each system looks at, in a few letters, to choose among them."""

from __future__ import annotations

from collections.abc import Mapping

from spine_fracture.imaging import CHANNELS, Sequence
from spine_fracture.training.systems.family import SystemConfig, settings_of, value_of

_PAIR = f"{Sequence.T1}+{Sequence.T2}"
#: By family, where it cannot be chosen.
_FIXED: Mapping[str, str] = {
    "six_channel": _PAIR,
    "yeh2022": _PAIR,
    "whole_study": "+".join(CHANNELS),
    "feature_regression": "features that a reader ticked",
    "majority": "nothing",
    "intensity_regression": _PAIR,
}
#: Of the others: the setting that says it, and what is put before its value.
_SETTINGS: Mapping[str, str] = {
    "sequences": "",
    "sequence": "",
    "network.sequences": "",
    "network.members": "radiographs, ",
}


def input_of(config: SystemConfig) -> str:
    """Sequences, with a plus between those that are read together, or radiographs and how they are put
    together (see :class:`~spine_fracture.classification.radiograph_pictures.InputForm`).
    """
    if config.family in _FIXED:
        return _FIXED[config.family]
    key = next(key for key in settings_of(config) if key in _SETTINGS)
    value = value_of(config, key)
    given = dict.fromkeys(map(str, value)) if isinstance(value, list) else (str(value),)
    return _SETTINGS[key] + "+".join(given)
