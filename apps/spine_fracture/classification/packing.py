"""Sequences of different lengths as one table of rows, and padded to one length where attention needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Packing:
    """Which row of a table belongs where: ``sequence`` and ``place`` (rows,) are those of each row.

    There are ``count`` sequences, none longer than ``longest``.
    """

    sequence: Tensor
    place: Tensor
    count: int
    longest: int

    @classmethod
    def of(cls, lengths: Sequence[int]) -> Self:
        """For rows that follow sequence by sequence; ``lengths`` are at least 1 each."""
        sequence = np.repeat(np.arange(len(lengths)), lengths)
        starts = np.cumsum([0, *lengths])[:-1]
        place = np.arange(len(sequence)) - starts[sequence]
        return cls(torch.from_numpy(sequence), torch.from_numpy(place), len(lengths), max(lengths))

    def to(self, device: torch.device) -> Packing:
        return Packing(
            self.sequence.to(device, non_blocking=True),
            self.place.to(device, non_blocking=True),
            self.count,
            self.longest,
        )

    def padded(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(rows, features) to (count, longest, features), zeros where there is nothing, and which are there
        (count, longest).
        """
        there = torch.zeros(self.count, self.longest, dtype=torch.bool, device=rows.device)
        there[self.sequence, self.place] = True
        padded = rows.new_zeros(self.count, self.longest, rows.shape[1])
        return padded.index_put((self.sequence, self.place), rows), there

    def packed(self, padded: Tensor) -> Tensor:
        """(count, longest, features) back to (rows, features)."""
        return padded[self.sequence, self.place]
