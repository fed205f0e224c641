"""The one training loop: it learns, resumes to the bit, and says what stopped it."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from spine_fracture import configuration
from spine_fracture.errors import InputError, StorageError, TrainingError
from spine_fracture.training.learning.checkpoint import Checkpointing
from spine_fracture.training.learning.loop import Epoch, Fitted, fit
from spine_fracture.training.learning.schedule import Schedule

Batch = tuple[Tensor, Tensor]
BRIEF = Schedule(epochs=4, steps=5, batch=8, learning_rate=0.01, averaging=0.9, checkpoint_minutes=0)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Sums so small are only held up by sharing them out."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Config(configuration.Config):
    schedule: Schedule
    width: int


def kept(file: Path, cohort: str = "small") -> Checkpointing:
    return Checkpointing(file, BRIEF, cohort)


class Brightness:
    """Bright pictures from dark ones, by a network with everything that has a state or draws at random."""

    def __init__(self, width: int = 6) -> None:
        torch.manual_seed(1)
        self.network = nn.Sequential(
            nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3),
            nn.Linear(36 * width, 2),
        )  # fmt: skip
        self.steps = 0
        self.sizes: list[int] = []

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        labels = rng.integers(0, 2, size)
        pictures = rng.normal(size=(size, 1, 8, 8)) + 0.5 * labels[:, None, None, None]
        return torch.tensor(pictures, dtype=torch.float32), torch.tensor(labels)

    def loss(self, network: nn.Module, batch: Batch, device: torch.device) -> Tensor:
        self.steps += 1
        self.sizes.append(len(batch[0]))
        return functional.cross_entropy(network(batch[0].to(device)).float(), batch[1].to(device))

    def validation_loss(self, network: nn.Module, device: torch.device) -> float | None:
        pictures, labels = self.batch(np.random.default_rng(9), 64)
        return float(functional.cross_entropy(network(pictures.to(device)), labels.to(device)))


class CutShort(Brightness):
    """As though the power failed at the ``last`` step."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self._last = last

    def loss(self, network: nn.Module, batch: Batch, device: torch.device) -> Tensor:
        if self.steps == self._last:
            raise KeyboardInterrupt
        return super().loss(network, batch, device)


class Spoilt(Brightness):
    """Its loss is NaN at the step ``at``."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._at = at

    def loss(self, network: nn.Module, batch: Batch, device: torch.device) -> Tensor:
        loss = super().loss(network, batch, device)
        return loss * float("nan") if self.steps == self._at else loss


class Cramped(Brightness):
    """There is memory for ``room`` pictures."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def loss(self, network: nn.Module, batch: Batch, device: torch.device) -> Tensor:
        if len(batch[0]) > self._room:
            raise torch.OutOfMemoryError
        return super().loss(network, batch, device)


class NothingHeldOut(Brightness):
    def validation_loss(self, network: nn.Module, device: torch.device) -> float | None:
        return None


class Worsening(Brightness):
    """On held-out pictures it is best after two epochs."""

    def __init__(self) -> None:
        super().__init__()
        self._judged = 0

    def validation_loss(self, network: nn.Module, device: torch.device) -> float | None:
        self._judged += 1
        return abs(self._judged - 2) + 1.0


class SlowToBegin(Worsening):
    """Nothing can be said of it for three epochs, nor in the epoch after its best."""

    def validation_loss(self, network: nn.Module, device: torch.device) -> float | None:
        judged = super().validation_loss(network, device)
        return None if self._judged in (1, 2, 3, 5) else judged


def untimed(history: tuple[Epoch, ...]) -> list[Epoch]:
    return [replace(epoch, seconds=0.0, waited=0.0) for epoch in history]


def assert_same(one: Fitted, other: Fitted) -> None:
    assert untimed(one.history) == untimed(other.history)
    assert one.epoch == other.epoch
    assert one.cost.pictures == other.cost.pictures
    assert all(torch.equal(value, other.state[key]) for key, value in one.state.items())


@pytest.fixture(scope="module")
def unbroken() -> Fitted:
    return fit(Brightness(), BRIEF, seed=3)


def test_it_learns_and_keeps_the_best_epoch() -> None:
    task, heard = Brightness(), []
    fitted = fit(task, BRIEF.model_copy(update={"epochs": 8, "steps": 10}), seed=3, tell=heard.append)
    losses = [epoch.validation_loss for epoch in fitted.history]
    assert tuple(heard) == fitted.history
    assert losses[fitted.epoch - 1] == min(losses, key=lambda loss: loss or 0) < 0.2
    task.network.load_state_dict(fitted.state)
    with torch.inference_mode():
        judged = task.validation_loss(task.network.eval().cpu(), torch.device("cpu"))
    assert judged == pytest.approx(losses[fitted.epoch - 1], rel=1e-4)
    assert (fitted.cost.pictures, fitted.cost.epochs) == (640, 8)
    assert 0 <= fitted.cost.waited <= fitted.cost.seconds
    assert fitted.cost.stopped == "all epochs done"


@pytest.mark.parametrize("last", [3, 5, 12])
def test_a_resumed_run_ends_with_the_same_bits(unbroken: Fitted, tmp_path: Path, last: int) -> None:
    file = tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        fit(CutShort(last), BRIEF, 3, kept(file))
    task = Brightness()
    heard: list[Epoch] = []
    resumed = fit(task, BRIEF, 3, kept(file), heard.append)
    assert task.steps == 20 - last
    assert_same(resumed, unbroken)
    assert tuple(replace(epoch, note="") for epoch in heard) == resumed.history
    before = [epoch.number for epoch in heard if epoch.note == "(from the checkpoint)"]
    assert before == list(range(1, last // BRIEF.steps + 1))
    # And once it is over, nothing is trained again.
    assert_same(fit(CutShort(0), BRIEF, 3, kept(file), heard.append), unbroken)
    assert tuple(replace(epoch, note="") for epoch in heard) == 2 * resumed.history


def test_another_seed_is_another_run(unbroken: Fitted) -> None:
    other = fit(Brightness(), BRIEF, seed=4)
    assert other.history[0].loss != unbroken.history[0].loss


def test_it_stops_when_held_out_pictures_are_told_no_better() -> None:
    fitted = fit(Worsening(), BRIEF.model_copy(update={"epochs": 20, "patience": 3}), seed=3)
    assert (len(fitted.history), fitted.epoch) == (5, 2)
    assert fitted.cost.stopped == "no lower validation loss in 3 epochs"


def test_patience_begins_with_the_first_epoch_of_which_something_can_be_said() -> None:
    schedule = BRIEF.model_copy(update={"epochs": 20, "patience": 2})
    fitted = fit(SlowToBegin(), schedule, seed=3)
    assert (len(fitted.history), fitted.epoch) == (6, 4)
    assert fitted.cost.stopped == "no lower validation loss in 2 epochs"


def test_with_nothing_held_out_the_last_epoch_is_kept() -> None:
    fitted = fit(NothingHeldOut(), BRIEF.model_copy(update={"patience": 1}), seed=3)
    assert (len(fitted.history), fitted.epoch) == (4, 4)


def test_a_loss_that_is_not_a_number_leaves_the_last_good_epoch(tmp_path: Path) -> None:
    good = fit(NothingHeldOut(), BRIEF, 3).history[:2]
    file = tmp_path / "checkpoint.pt"
    fitted = fit(Spoilt(at=13), BRIEF, 3, kept(file))
    assert fitted.epoch == 2
    assert [epoch.loss for epoch in fitted.history[:2]] == [epoch.loss for epoch in good]
    assert all(torch.isfinite(value).all() for value in fitted.state.values())
    assert fitted.cost.stopped == fitted.history[-1].note == "the loss became nan in epoch 3"
    assert fit(CutShort(0), BRIEF, 3, kept(file)).cost.stopped == fitted.cost.stopped


def test_weights_that_are_not_finite_are_never_kept() -> None:
    class Exploding(NothingHeldOut):
        """Finite losses, but the last gradient of the second epoch is not."""

        def loss(self, network: nn.Module, batch: Batch, device: torch.device) -> Tensor:
            loss = super().loss(network, batch, device)
            if self.steps == 10:
                loss.register_hook(lambda gradient: gradient * float("inf"))
            return loss

    fitted = fit(Exploding(), BRIEF, seed=3)
    assert fitted.epoch == 1
    assert "weights became nan" in fitted.cost.stopped
    assert all(torch.isfinite(value).all() for value in fitted.state.values())


def test_without_a_good_epoch_the_remedy_is_named() -> None:
    with pytest.raises(TrainingError, match="Lower learning_rate"):
        fit(Spoilt(at=2), BRIEF, seed=3)


def test_a_batch_too_large_is_halved_and_stays_so(tmp_path: Path) -> None:
    task, file = Cramped(room=3), tmp_path / "checkpoint.pt"
    fitted = fit(task, BRIEF, 3, kept(file))
    assert task.sizes == [2] * 20
    assert fitted.history[0].note == "out of GPU memory: batch halved to 2"
    assert fitted.history[1].note == ""
    assert fitted.cost.pictures == 40
    with pytest.raises(TrainingError, match="not hold even one"):
        fit(Cramped(room=0), BRIEF, seed=3)


def test_a_halved_batch_is_remembered(tmp_path: Path) -> None:
    class CrampedAndCutShort(Cramped):
        def loss(self, network: nn.Module, batch: Batch, device: torch.device) -> Tensor:
            if self.steps == 7:
                raise KeyboardInterrupt
            return super().loss(network, batch, device)

    file = tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        fit(CrampedAndCutShort(room=4), BRIEF, 3, kept(file))
    roomy = Brightness()
    resumed = fit(roomy, BRIEF, 3, kept(file))
    assert set(roomy.sizes) == {4}
    assert_same(resumed, fit(Cramped(room=4), BRIEF, 3))


@pytest.mark.parametrize(
    ("width", "seed", "change", "said"),
    [
        (9, 3, {}, r"another network: 0.weight is \(6, 1, 3, 3\) in it, \(9, 1, 3, 3\) here"),
        (6, 8, {}, "another seed: seed is 3 in it, 8 here"),
        (6, 3, {"batch": 16}, "another schedule: batch is 8 in it, 16 here"),
        (6, 3, {"optimiser": "adam"}, "another schedule: optimiser is adamw in it, adam here"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(
    tmp_path: Path, width: int, seed: int, change: dict[str, object], said: str
) -> None:
    file = tmp_path / "checkpoint.pt"
    fit(Brightness(), BRIEF.model_copy(update={"epochs": 1}), 3, kept(file))
    with pytest.raises(InputError, match=said) as refused:
        fit(Brightness(width), BRIEF.model_copy(update={"epochs": 1, **change}), seed, kept(file))
    assert f"Remove {file}" in str(refused.value)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"cohort": "small-2"}, "cohort is small in it, small-2 here"),
        ({"config": Config(schedule=BRIEF, width=9)}, "width is 6 in it, 9 here"),
    ],
)
def test_a_checkpoint_of_another_cohort_or_configuration_is_refused(
    tmp_path: Path, other: dict[str, Any], said: str
) -> None:
    brief = BRIEF.model_copy(update={"epochs": 1})
    own = Checkpointing(tmp_path / "checkpoint.pt", Config(schedule=brief, width=6), "small")
    fit(Brightness(), brief, 3, own)
    with pytest.raises(InputError, match=said) as refused:
        fit(Brightness(), brief, 3, replace(own, **other))
    assert f"Remove {own.path}" in str(refused.value)
    often = Config(schedule=brief.model_copy(update={"checkpoint_minutes": 9}), width=6)
    fit(CutShort(0), brief, 3, replace(own, config=often))  # which changes no result


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "checkpoint.pt"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged.*Remove"):
        fit(Brightness(), BRIEF, 3, kept(file))


def test_a_checkpoint_that_counts_other_things_is_refused(tmp_path: Path) -> None:
    own = kept(tmp_path / "checkpoint.pt")
    fit(Brightness(), BRIEF, 3, own)
    stored = torch.load(own.path, weights_only=True)
    stored["course"]["laps"] = 3
    torch.save(stored, own.path)
    with pytest.raises(InputError, match=r"another version.*Remove"):
        fit(Brightness(), BRIEF, 3, own)


def test_on_a_full_disk_the_checkpoint_before_is_intact(
    unbroken: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        fit(CutShort(8), BRIEF, 3, kept(file))
    before = file.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="No space left"):
            fit(Brightness(), BRIEF, 3, kept(file))
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert_same(fit(Brightness(), BRIEF, 3, kept(file)), unbroken)


def test_waiting_for_data_is_counted() -> None:
    class Slow(Brightness):
        def batch(self, rng: np.random.Generator, size: int) -> Batch:
            time.sleep(0.02 if size < 64 else 0)
            return super().batch(rng, size)

    cost = fit(Slow(), BRIEF.model_copy(update={"epochs": 1}), seed=3).cost
    assert 0.04 < cost.waited < cost.seconds


def test_what_goes_wrong_in_the_reader_thread_is_raised() -> None:
    class Unreadable(Brightness):
        def batch(self, rng: np.random.Generator, size: int) -> Batch:
            raise InputError("picture 7 is gone")

    with pytest.raises(InputError, match="picture 7"):
        fit(Unreadable(), BRIEF, seed=3)


class TinyMaps:
    """A convolution over single pixels, whose gradient torch gets wrong in bfloat16 on a CPU."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network: nn.Module = nn.Sequential(nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False))
        self.gradients: list[Tensor] = []

    def batch(self, rng: np.random.Generator, size: int) -> Tensor:
        return torch.from_numpy(rng.normal(size=(size, 16, 1, 1)).astype(np.float32))

    def loss(self, network: nn.Module, batch: Tensor, device: torch.device) -> Tensor:
        return network(batch).float().square().sum()

    def validation_loss(self, network: nn.Module, device: torch.device) -> float | None:
        (weight,) = self.network.parameters()
        assert weight.grad is not None
        self.gradients.append(weight.grad.clone())
        return None


def test_maps_smaller_than_a_convolution_are_learnt_in_full_precision() -> None:
    task = TinyMaps()
    untouched = task.network.state_dict()["0.weight"].clone().requires_grad_()
    fit(task, Schedule(epochs=1, steps=1, batch=6), seed=3)
    batch = task.batch(np.random.default_rng(np.random.SeedSequence((3, 0, 0))), 6)
    functional.conv2d(batch, untouched, stride=2, padding=1).square().sum().backward()
    assert untouched.grad is not None
    torch.testing.assert_close(task.gradients[0], untouched.grad)


class Depthwise(TinyMaps):
    """A convolution of each channel by itself, then one across them; notes what each computes in."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False), nn.Conv2d(16, 32, 1, bias=False)
        )
        self.kinds: list[torch.dtype] = []

    def batch(self, rng: np.random.Generator, size: int) -> Tensor:
        return torch.from_numpy(rng.normal(size=(size, 16, 8, 8)).astype(np.float32))

    def loss(self, network: nn.Module, batch: Tensor, device: torch.device) -> Tensor:
        assert isinstance(network, nn.Sequential)
        with torch.autocast("cpu", torch.bfloat16):  # wherever half precision pays or not
            apart = network[0](batch)
            across = network[1](apart)
        self.kinds = [apart.dtype, across.dtype]
        return across.float().square().mean()

    def validation_loss(self, network: nn.Module, device: torch.device) -> float | None:
        return None


@pytest.mark.skipif(torch.cuda.is_available(), reason="on a GPU half precision pays for these too")
def test_on_a_cpu_depthwise_convolutions_are_learnt_in_full_precision() -> None:
    task = Depthwise()
    names = list(task.network.state_dict())
    fitted = fit(task, Schedule(epochs=1, steps=1, batch=2), seed=3)
    assert task.kinds == [torch.float32, torch.bfloat16]
    assert list(fitted.state) == names


class StridedPoint(TinyMaps):
    """A strided 1 x 1 convolution of few channels, whose gradients a CPU would write out of bounds."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Conv2d(4, 8, 1, stride=(2, 3), bias=False))

    def batch(self, rng: np.random.Generator, size: int) -> Tensor:
        pictures = torch.from_numpy(rng.normal(size=(size, 4, 12, 11)).astype(np.float32))
        return pictures.contiguous(memory_format=torch.channels_last)

    def loss(self, network: nn.Module, batch: Tensor, device: torch.device) -> Tensor:
        with torch.autocast(device.type, enabled=False):
            return super().loss(network, batch, device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU computes it as it is")
def test_on_a_cpu_a_strided_point_learns_the_same_without_its_stride() -> None:
    task = StridedPoint()
    untouched = task.network.state_dict()["0.weight"].double().requires_grad_()
    fit(task, Schedule(epochs=1, steps=1, batch=5), seed=3)
    batch = task.batch(np.random.default_rng(np.random.SeedSequence((3, 0, 0))), 5)
    functional.conv2d(batch.double(), untouched, stride=(2, 3)).square().sum().backward()
    assert untouched.grad is not None
    torch.testing.assert_close(task.gradients[0], untouched.grad.float())
    assert type(list(task.network.modules())[1]) is not nn.Conv2d
