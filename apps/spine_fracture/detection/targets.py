"""What a batch of pictures shows, in the one form that every family of detectors learns from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: How many boxes a transformer guesses. No picture shows more than 27 vertebrae; four guesses for each, as
#: DETR's paper has a multiple of the most objects in its pictures.
QUERIES = 100


@dataclass(frozen=True, eq=False)
class Targets:
    """The boxes of n pictures. ``corners`` (b, 4) float, x0 y0 x1 y1 in pixels; ``kinds`` (b,) int64, indices
    of classes; ``picture`` (b,) int64, ascending, the picture each box is in; ``unknown`` (n, rows,
    columns) bool, True where nothing was labelled: what a network finds there is neither right nor wrong.
    """

    corners: Tensor
    kinds: Tensor
    picture: Tensor
    unknown: Tensor

    def to(self, device: torch.device) -> Targets:
        return Targets(
            *(
                part.to(device, non_blocking=True)
                for part in (self.corners, self.kinds, self.picture, self.unknown)
            )
        )

    @property
    def counts(self) -> list[int]:
        """The number of boxes of each picture."""
        return torch.bincount(self.picture, minlength=len(self.unknown)).tolist()

    def by_picture(self, boxes: Tensor) -> list[tuple[Tensor, Tensor]]:
        """``boxes`` (b, 4), these in any form, with the kinds, picture by picture."""
        counts = self.counts
        return list(zip(torch.split(boxes, counts), torch.split(self.kinds, counts), strict=True))

    def centred(self) -> Tensor:
        """The boxes (b, 4) as centre x, centre y, width, height, in shares of the picture."""
        rows, columns = self.unknown.shape[1:]
        shares = self.corners / self.corners.new_tensor([columns, rows, columns, rows])
        low, high = shares[:, :2], shares[:, 2:]
        return torch.cat([(low + high) / 2, high - low], dim=1)

    def is_unknown(self, points: Tensor) -> Tensor:
        """Whether points lie where nothing was labelled: (n, q, 2) or (q, 2) of all pictures, (x, y) in
        pixels, to (n, q) bool. Points outside count as the nearest pixel.
        """
        pictures, rows, columns = self.unknown.shape
        at = points.detach().nan_to_num().long().expand(pictures, -1, 2)
        x, y = at[..., 0].clamp(0, columns - 1), at[..., 1].clamp(0, rows - 1)
        return self.unknown[torch.arange(pictures, device=at.device)[:, None], y, x]


def corners_in_pixels(centred: Tensor, rows: int, columns: int) -> Tensor:
    """Boxes (..., 4) as centre and size in shares of the picture to x0 y0 x1 y1 in pixels."""
    middle, half = centred[..., :2], centred[..., 2:] / 2
    shares = torch.cat([middle - half, middle + half], dim=-1)
    return shares * shares.new_tensor([columns, rows, columns, rows])
