"""Out of memory on a graphics card: batches go in parts from then on. A model that raises plays the card."""

import pytest
import torch
from torch import nn

from gpscale.training.checkpoint import load_checkpoint
from gpscale.training.loop import Training
from gpscale.training.recipe import Recipe
from gpscale.training.trainer import initialised, train
from tests.training.tiny_training import RECIPE, tiny_model

CPU = torch.device("cpu")


class SmallCard(nn.Module):
    """Raises as a full card does for more than `room` images, after a part of the model has seen them."""

    def __init__(self, model, room, fills_at=0):
        super().__init__()
        self.begin, self.rest = model[:2], model[2:]
        self.room, self.passes_left = room, fills_at

    def forward(self, images):
        seen = self.begin(images)
        if self.training:
            self.passes_left -= 1
            if self.passes_left < 0 and len(images) > self.room:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return self.rest(seen)


def card(room, **options):
    return initialised(lambda: SmallCard(tiny_model(), room, **options), 0)


def training_of(model, store, parts=1, recipe=RECIPE):
    training = Training(model, recipe, store, 16, 0, CPU)
    training.position.parts = parts
    return training


def run(store, directory, model, **options):
    settings = {"trial_id": "x", "pixels": 16, "seed": 0, "report": lambda _: None, **options}
    return train(model, RECIPE, store, directory=directory, **settings)


def test_a_card_that_is_too_small_gets_half_of_the_batch_at_a_time_and_the_record_says_so(digits_store, tmp_path):
    outcome = run(digits_store, tmp_path, card(16))
    assert outcome.measured["micro_batch"] == 16
    assert run(digits_store, tmp_path / "roomy", card(32)).measured["micro_batch"] == 32


def test_it_is_halved_again_until_it_fits_also_where_the_parts_are_not_equal(digits_store):
    training = training_of(card(7), digits_store, recipe=Recipe(epochs=1, batch_size=25))
    next(training.steps())
    assert training.micro_batch == 7


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("mixup", [0.0, 0.2])
def test_the_gradients_of_the_parts_add_up_to_those_of_the_batch(digits_store, mixup, label_smoothing):
    # without a norm, which sees each part alone, and without dropout, which draws for each part
    def plain():
        return nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 32), nn.SiLU(), nn.Linear(32, 10))

    recipe = Recipe(epochs=1, batch_size=25, mixup=mixup, label_smoothing=label_smoothing, gradient_clip=None)
    whole, parted = (training_of(initialised(plain, 0), digits_store, parts, recipe) for parts in (1, 4))
    for training in (whole, parted):
        next(training.steps())
    assert parted.loss == pytest.approx(whole.loss, rel=1e-6)
    for one, other in zip(whole.model.parameters(), parted.model.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, rtol=1e-4, atol=1e-8)


def test_a_step_that_failed_leaves_no_trace(digits_store):
    # the one has met the full card in its first step, the other has known all along
    met, known = training_of(card(16), digits_store), training_of(card(16), digits_store, parts=2)
    for training in (met, known):
        for _ in training.steps():
            pass
    for name in ("model", "ema"):
        one, other = met.states()[name], known.states()[name]
        # how many batches a norm has seen decides nothing
        assert all(torch.equal(one[key], other[key]) for key in one if not key.endswith("num_batches_tracked"))


def test_a_card_that_fills_up_later_does_not_undo_what_was_done(digits_store, tmp_path):
    training = training_of(card(16, fills_at=5), digits_store)
    sizes = []
    for _ in training.steps():
        sizes.append(training.micro_batch)
    assert sizes == [32] * 5 + [16] * 5


def test_a_training_that_goes_on_keeps_its_micro_batch_and_its_result(digits_store, tmp_path):
    undisturbed = run(digits_store, tmp_path / "undisturbed", card(16))

    class Stop(Exception):
        pass

    def stop(progress):
        if progress.epoch == 2:
            raise Stop

    with pytest.raises(Stop):
        run(digits_store, tmp_path / "cut", card(16), report=stop)
    assert load_checkpoint(tmp_path / "cut", "x", CPU)[0].parts == 2
    # there is room now, but the result is that of the trial as it was begun
    resumed = run(digits_store, tmp_path / "cut", card(32))
    assert resumed.result == undisturbed.result
    assert resumed.measured["micro_batch"] == 16


def test_a_card_without_room_for_two_images_is_out_of_memory(digits_store, tmp_path):
    with pytest.raises(torch.OutOfMemoryError, match="out of memory"):
        run(digits_store, tmp_path, card(1))
