"""A network that sees the whole study: slices attend to each other within a level, levels within the spine.

A lesion elsewhere in the spine is the strongest sign that a fracture is malignant (39 of 50 against 8 of
140 in Yeh et al. 2022, Table 1), and no network that is shown one vertebra at a time can know of it. Here
each slice of a level goes through one trunk (a ResNet, He et al. 2016), the slices of a level become one
token by attention (Vaswani et al. 2017), and the tokens of all levels attend to each other. What a level
is called plays no part, as names may be wrong: attention knows only how far apart two levels are in the
order head to foot, through a bias learnt for each distance (Shaw et al. 2018).

The answer to a level is the sum of two: what it says alone, and what the others add.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from pydantic import model_validator
from torch import Tensor, nn
from torch.nn import functional

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.classification.packing import Packing
from spine_fracture.classification.sixchannel import ResNetTrunk, Trunk, start_convolutions
from spine_fracture.configuration import Chance, Config, Count, Positive, Side
from spine_fracture.imaging import CHANNELS

#: Beyond this many steps, distances along the spine (or across slices) are not told apart.
_REACH = 8


class WholeStudyConfig(Config):
    """Everything that is needed to run the network again; kept in the model's manifest.

    ``trunk``, ``width`` and ``pooled_stem`` as in :class:`SixChannelConfig`. Tokens have ``features``
    numbers, and attention ``heads`` heads in ``slice_layers`` within a level and ``level_layers`` within a
    study. ``size`` and ``margin`` say how crops are cut, ``slices`` how many of a level are read at most,
    spread over all that show it.
    """

    trunk: Trunk = "resnet18"
    width: Count = 32
    pooled_stem: bool = False
    features: Count = 128
    heads: Count = 4
    slice_layers: Count = 1
    level_layers: Count = 2
    dropout: Chance = 0.1
    size: Side = 64
    margin: Positive = 1.35
    slices: Count = 5

    @model_validator(mode="after")
    def _heads_share_features(self) -> Self:
        if self.features % self.heads:
            raise ValueError(f"features ({self.features}) must be a multiple of heads ({self.heads})")
        return self


@dataclass(frozen=True, eq=False)
class StudyLogits:
    """What the network says: ``levels`` (levels, 4) over MODEL_CLASSES; ``alone`` (levels, 4) the share of it
    that comes from the level itself; ``studies`` (studies,), whether any level is malignant.
    """

    levels: Tensor
    alone: Tensor
    studies: Tensor


class WholeStudyNetwork(nn.Module):
    """Standardised crops of the slices of the levels of some studies to answers for each level."""

    def __init__(self, config: WholeStudyConfig) -> None:
        super().__init__()
        self.mix = nn.Conv2d(len(CHANNELS), 3, 1)
        self.trunk = ResNetTrunk(config.trunk, config.width, config.pooled_stem)
        start_convolutions(self)
        self.token = nn.Linear(self.trunk.out_channels, config.features)
        self.acquired = nn.Linear(len(CHANNELS), config.features)
        self.slices = _Attention(config.features, config.heads, config.slice_layers, config.dropout)
        self.levels = _Attention(config.features, config.heads, config.level_layers, config.dropout)
        self.dropout = nn.Dropout(config.dropout)
        self.alone = nn.Linear(config.features, len(MODEL_CLASSES))
        self.others = nn.Linear(config.features, len(MODEL_CLASSES))
        self.study = nn.Linear(config.features, 1)
        # Training starts from levels that speak for themselves, and learns what the others add.
        nn.init.zeros_(self.others.weight)
        nn.init.zeros_(self.others.bias)

    def forward(self, crops: Tensor, present: Tensor, slices: Packing, levels: Packing) -> StudyLogits:
        """As :meth:`tokens`, then :meth:`answers`."""
        return self.answers(self.tokens(crops, present), slices, levels)

    def tokens(self, crops: Tensor, present: Tensor) -> Tensor:
        """(crops, features) from crops (crops, 4, size, size), channels as in CHANNELS, and ``present``
        (crops, 4), which of them were acquired.
        """
        seen = self.trunk(self.mix(crops)).mean(dim=(2, 3))
        tokens: Tensor = self.token(seen) + self.acquired(present.to(seen.dtype))
        return tokens

    def answers(self, tokens: Tensor, slices: Packing, levels: Packing) -> StudyLogits:
        """From one token a slice. ``slices`` sorts them into levels, each in the order of its slices, and
        ``levels`` these into studies, each head to foot.
        """
        of_level, _ = self.slices(*slices.padded(tokens))
        of_study, attended = self.levels(*levels.padded(of_level))
        alone = self.alone(self.dropout(of_level))
        return StudyLogits(
            alone + self.others(self.dropout(levels.packed(attended))),
            alone,
            self.study(self.dropout(of_study))[:, 0],
        )


class _Attention(nn.Module):
    """Tokens in order attend to each other, and one more, learnt, to all of them: it sums them up."""

    def __init__(self, features: int, heads: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.summary = nn.Parameter(torch.randn(features) * 0.02)
        self.distance = nn.Embedding(2 * _REACH + 1, heads)
        nn.init.zeros_(self.distance.weight)
        self.layers = nn.ModuleList(_Layer(features, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(features)

    def forward(self, tokens: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (n, length, features), of which ``present`` (n, length) count, to the sums
        (n, features) and the tokens having attended (n, length, features).
        """
        n, length, _ = tokens.shape
        everything = torch.cat([self.summary.expand(n, 1, -1).to(tokens.dtype), tokens], dim=1)
        reached = torch.cat([present.new_ones(n, 1), present], dim=1)
        # Nobody attends to what is not there; the sum always is, so there is always something.
        bias = self._bias(length).expand(n, -1, -1, -1).masked_fill(~reached[:, None, None], float("-inf"))
        for layer in self.layers:
            everything = layer(everything, bias)
        everything = self.norm(everything)
        return everything[:, 0], everything[:, 1:]

    def _bias(self, length: int) -> Tensor:
        """(heads, length + 1, length + 1); the sum is at no distance from anything."""
        at = torch.arange(length, device=self.summary.device)
        steps = (at[None, :] - at[:, None]).clamp(-_REACH, _REACH) + _REACH
        return functional.pad(self.distance(steps).permute(2, 0, 1), (1, 0, 1, 0))


class _Layer(nn.Module):
    """Attention, then each token by itself, normalised before each. Not torch's own layer: where every head
    and sequence has a bias of its own, its fast path for inference (2.15) answers otherwise than in training.
    """

    def __init__(self, features: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(features)
        self.query_key_value = nn.Linear(features, 3 * features)
        self.attended = nn.Linear(features, features)
        self.alone = nn.Sequential(
            nn.LayerNorm(features),
            nn.Linear(features, 2 * features),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * features, features),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, bias: Tensor) -> Tensor:
        """(n, length, features); ``bias`` (n, heads, length, length) is added to what attention weighs."""
        n, length, features = tokens.shape
        mixed = self.query_key_value(self.before_attention(tokens))
        query, key, value = mixed.reshape(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(query, key, value, bias.to(query.dtype))
        tokens = tokens + self.dropout(self.attended(found.transpose(1, 2).reshape(n, length, features)))
        out: Tensor = tokens + self.dropout(self.alone(tokens))
        return out
