"""The state of a training and the operations that change it; no files, no reports."""

from __future__ import annotations

import logging
import math
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn

from gpscale.errors import TrainingError
from gpscale.training import schedule
from gpscale.training.augment import Augmentation
from gpscale.training.checkpoint import Position
from gpscale.training.curve import CurveRow
from gpscale.training.data.store import ImageStore
from gpscale.training.evaluate import Scores, autocast, evaluate
from gpscale.training.recipe import Recipe
from gpscale.training.seeding import Stream, derived_seed, epoch_order

logger = logging.getLogger(__name__)


class Training:
    """A model in training.

    Attributes:
        model: The model, on the device.
        device: Where it is trained.
        position: Where the training stands.
        batch_size: Images of a step.
        epoch_steps, total_steps: Steps of an epoch and of the whole run.
        loss: Last loss that has come from the device, nats; NaN before the first.
    """

    def __init__(
        self, model: nn.Module, recipe: Recipe, store: ImageStore, pixels: int, seed: int, device: torch.device
    ) -> None:
        """Set up optimizer, schedule and average; arguments as in `trainer.train`."""
        self.recipe, self.device = recipe, device
        self._store, self._seed = store.near(device), seed
        images = len(store.train_indices)
        self.batch_size = schedule.batch_size_for(recipe, images)
        self.epoch_steps = schedule.steps_per_epoch(recipe, images)
        self.total_steps = self.epoch_steps * recipe.epochs
        self._peak = schedule.peak_learning_rate(recipe, self.batch_size)
        order = torch.channels_last if recipe.channels_last else torch.contiguous_format
        self.model: nn.Module = model.to(device).to(memory_format=order)
        self._optimizer = adamw(self.model, recipe, self._peak)
        self._ema = _average(self.model, recipe, self.total_steps) if recipe.ema else None
        # running means and variances, which a forward pass changes even if the step then fails
        self._statistics = [buffer for buffer in self.model.buffers() if buffer.is_floating_point()]
        self._statistics_before = [buffer.clone() for buffer in self._statistics]
        self._augmentation = Augmentation(recipe, pixels, store.mean, store.std, store.num_classes)
        self.position = Position()
        self.loss = math.nan
        # losses stay on the device until someone needs a number: reading one waits for the device
        self._unread: list[Tensor] = []
        self._glimpse: tuple[Tensor, torch.cuda.Event] | None = None

    @property
    def micro_batch(self) -> int:
        """Images that go through the model at a time; fewer than a batch once a graphics card was out of memory."""
        return -(-self.batch_size // self.position.parts)

    @property
    def images_seen(self) -> int:
        """Training images seen so far."""
        return (self.position.epoch * self.epoch_steps + self.position.step) * self.batch_size

    def steps(self) -> Iterator[None]:
        """Take the steps that the running epoch has left, one at a time."""
        position = self.position
        order = epoch_order(self._seed, position.epoch, self._store.train_indices)
        batches = np.split(order[: self.epoch_steps * self.batch_size], self.epoch_steps)[position.step :]
        self.model.train()
        begin = time.perf_counter()
        for indices, images in zip(batches, self._store.batches(batches), strict=True):
            self._unread.append(self._step(images, indices))
            position.step += 1
            if self.device.type == "cpu":
                self.read_losses()
            position.train_seconds += time.perf_counter() - begin
            yield
            begin = time.perf_counter()

    def read_losses(self) -> None:
        """Fetch the losses of the latest steps from the device.

        Raises:
            TrainingError: One of them is not finite.
        """
        position = self.position
        first = position.step - len(self._unread) + 1
        for step, loss in enumerate(torch.stack(self._unread).tolist() if self._unread else (), start=first):
            if not math.isfinite(loss):
                raise self._diverged(f"{loss} in epoch {position.epoch + 1}, step {step} of {self.epoch_steps}")
            position.loss_sum += loss
            self.loss = loss
        self._unread.clear()

    def glimpse_loss(self) -> None:
        """Set `loss` to a recent one without waiting for the device: what was asked for last time, if it has come."""
        if self.device.type == "cpu":
            # each step has read it
            return
        if self._glimpse is not None and self._glimpse[1].query():
            self.loss = float(self._glimpse[0])
            self._glimpse = None
        if self._glimpse is None and self._unread:
            arriving = torch.empty((), pin_memory=True).copy_(self._unread[-1], non_blocking=True)
            arrived = torch.cuda.Event()
            arrived.record()
            self._glimpse = arriving, arrived

    def finish_epoch(self) -> None:
        """Score the model on the validation images and add a row to the curve.

        Raises:
            TrainingError: A loss is not finite, of the training or of the validation.
        """
        position, begin = self.position, time.perf_counter()
        self.read_losses()
        position.train_seconds += time.perf_counter() - begin
        begin = time.perf_counter()
        models = [self.model] if self._ema is None else [self.model, self._ema.module]
        scores = self._scores(models, self._store.validation_indices)
        raw, averaged = scores[0], scores[-1]
        position.epoch += 1
        mean_loss = position.loss_sum / self.epoch_steps
        position.step, position.loss_sum = 0, 0.0
        position.curve.append(
            CurveRow(
                epoch=position.epoch,
                images=self.images_seen,
                train_loss=mean_loss,
                validation_loss=raw.loss,
                top1=raw.top1,
                top5=raw.top5,
                ema_validation_loss=averaged.loss,
                ema_top1=averaged.top1,
                ema_top5=averaged.top5,
            )
        )
        position.evaluate_seconds += time.perf_counter() - begin

    @property
    def final_model(self) -> nn.Module:
        """The model that the result is of: that with averaged weights, where they are averaged."""
        return self.model if self._ema is None else self._ema.module

    def test(self) -> Scores | None:
        """Score the final model on the test images; None where the store has none.

        Raises:
            TrainingError: Their loss is not finite.
        """
        indices = self._store.test_indices
        return self._scores([self.final_model], indices)[0] if len(indices) else None

    def _scores(self, models: list[nn.Module], indices: NDArray[np.int64]) -> list[Scores]:
        scores = evaluate(models, self._augmentation, self._store, indices, self.device)
        for score in scores:
            # no training loss has seen what the last step of an epoch did to the weights
            if not math.isfinite(score.loss):
                epochs = self.recipe.epochs
                epoch = min(self.position.epoch + 1, epochs)
                raise self._diverged(
                    f"{score.loss} on images that it does not train on, after epoch {epoch} of {epochs}"
                )
        return scores

    def _diverged(self, got: str) -> TrainingError:
        return TrainingError(
            f"The loss must stay finite. Got {got}: the training diverged. Lower `recipe.learning_rate` (now "
            f"{self.recipe.learning_rate}) or lengthen `recipe.warmup`."
        )

    def states(self) -> dict[str, Any]:
        """Return the `state_dict`s of all that a step changes."""
        states = {"model": self.model.state_dict(), "optimizer": self._optimizer.state_dict()}
        return states if self._ema is None else {**states, "ema": self._ema.module.state_dict()}

    def restore(self, position: Position, states: dict[str, Any]) -> None:
        """Take position and states of a checkpoint of the same trial."""
        self.model.load_state_dict(states["model"])
        self._optimizer.load_state_dict(states["optimizer"])
        if self._ema is not None:
            self._ema.module.load_state_dict(states["ema"])
        self.position = position

    def measured(self) -> dict[str, Any]:
        """Return times, memory, micro-batch and versions, as JSON values."""
        position = self.position
        return {
            "train_seconds": round(position.train_seconds, 3),
            "evaluate_seconds": round(position.evaluate_seconds, 3),
            "images_per_second": round(self.images_seen / max(position.train_seconds, 1e-9), 2),
            "peak_memory_bytes": _peak_memory(),
            "device": str(self.device),
            "micro_batch": self.micro_batch,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }

    def _step(self, images: Tensor, indices: NDArray[np.int64]) -> Tensor:
        """Take one step; return its loss, a scalar on the device."""
        recipe, epoch, step = self.recipe, self.position.epoch, self.position.step
        labels = torch.from_numpy(self._store.labels[indices]).to(self.device, non_blocking=True)
        seed = derived_seed(self._seed, Stream.AUGMENTATION, epoch, step)
        inputs, targets = self._augmentation.training(images.to(self.device), labels, seed)
        loss = self._backward(inputs, targets, derived_seed(self._seed, Stream.MODEL, epoch, step))
        if recipe.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), recipe.gradient_clip)
        done = epoch * self.epoch_steps + step
        for group in self._optimizer.param_groups:
            group["lr"] = schedule.learning_rate_at(done, self.total_steps, recipe, self._peak)
        self._optimizer.step()
        if self._ema is not None:
            self._ema.update(self.model, step=done + 1)
        return loss

    def _backward(self, inputs: Tensor, targets: Tensor, seed: int) -> Tensor:
        """Set the gradients of a batch; one that does not fit a graphics card goes in parts, from then on.

        Args:
            inputs: Normalised images, float32 (B, 3, p, p).
            targets: As `Augmentation.training` returns them.
            seed: Decides what dropout draws.

        Returns:
            The loss of the batch, a scalar on the device.

        Raises:
            torch.OutOfMemoryError: Not even parts of two images fit.
        """
        _copy(self._statistics, self._statistics_before)
        while True:
            try:
                return self._backward_in_parts(inputs, targets, seed)
            except torch.OutOfMemoryError:
                # a norm needs two images
                if len(inputs) // (2 * self.position.parts) < 2:
                    raise
            # outside of the except clause, whose traceback holds the activations
            self.position.parts *= 2
            _copy(self._statistics_before, self._statistics)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            logger.warning(
                "Out of memory in epoch %d, step %d: the micro-batch is now %d of %d images.",
                self.position.epoch + 1,
                self.position.step + 1,
                self.micro_batch,
                self.batch_size,
            )

    def _backward_in_parts(self, inputs: Tensor, targets: Tensor, seed: int) -> Tensor:
        recipe, parts = self.recipe, self.position.parts
        self._optimizer.zero_grad(set_to_none=True)
        # dropout draws from the global generator
        torch.manual_seed(seed)
        losses = []
        for images, wanted in zip(inputs.tensor_split(parts), targets.tensor_split(parts), strict=True):
            with autocast(recipe.precision, self.device):
                logits = self.model(images)
            loss = F.cross_entropy(logits.float(), wanted, label_smoothing=recipe.label_smoothing)
            # the mean over the batch is the mean of its parts by their size; of a whole batch, times one
            loss = loss * (len(images) / len(inputs))
            loss.backward()
            losses.append(loss.detach())
        return torch.stack(losses).sum()


def _copy(sources: list[Tensor], targets: list[Tensor]) -> None:
    # a single kernel on a graphics card, where one for each of a hundred tensors would take long
    if sources:
        torch._foreach_copy_(targets, sources)


def adamw(model: nn.Module, recipe: Recipe, learning_rate: float) -> torch.optim.AdamW:
    """Return the recipe's optimizer; norms, biases and other vectors are not decayed."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(recipe.beta1, recipe.beta2), fused=True)


def _average(model: nn.Module, recipe: Recipe, steps: int) -> ModelEmaV3:
    # until the horizon is reached it is the plain mean of all steps: the first weights, which are random, have no
    # weight of their own
    return ModelEmaV3(model, decay=schedule.ema_decay(recipe, steps), use_warmup=True, warmup_power=1.0)


def _peak_memory() -> int:
    """Return the largest resident memory of this process so far, bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
