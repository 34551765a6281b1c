import csv
import dataclasses
import itertools
import json
import logging
import math
import signal
import subprocess

import numpy as np
import pytest
import torch
from torch import nn

from gpscale.errors import RunDirError, TrainingError
from gpscale.training import loop
from gpscale.training.augment import Augmentation
from gpscale.training.checkpoint import CHECKPOINT_FILE
from gpscale.training.data.config import DataConfig
from gpscale.training.data.store import ImageStore
from gpscale.training.evaluate import evaluate
from gpscale.training.loop import Training, adamw
from gpscale.training.recipe import Recipe
from gpscale.training.seeding import epoch_order
from gpscale.training.trainer import initialised, train
from tests.training.tiny_training import PROCESS, PROGRAM, RECIPE, STEPS_PER_EPOCH, run, tiny_model

CPU = torch.device("cpu")


class Stop(Exception):
    """Ends a training from its report."""


def stop_after(steps):
    def report(progress):
        if progress.images >= steps * RECIPE.batch_size:
            raise Stop

    return report


@pytest.fixture(scope="module")
def undisturbed(digits_store, tmp_path_factory):
    directory = tmp_path_factory.mktemp("undisturbed")
    return run(digits_store, directory), directory


def curve(directory):
    with (directory / "curve.csv").open() as file:
        return list(csv.DictReader(file))


def test_digits_are_learned(digits_store, tmp_path):
    recipe = Recipe(epochs=30, batch_size=16, learning_rate=2e-2, flip=False, crop="none")
    outcome = run(digits_store, tmp_path, recipe)
    assert outcome.result.top1 > 0.8
    assert outcome.result.top5 > 0.95


def test_a_repeated_training_has_the_same_result_and_curve(digits_store, tmp_path, undisturbed):
    outcome, directory = undisturbed
    assert run(digits_store, tmp_path).result == outcome.result
    assert (tmp_path / "curve.csv").read_bytes() == (directory / "curve.csv").read_bytes()


def test_another_seed_has_another_result(digits_store, tmp_path, undisturbed):
    assert run(digits_store, tmp_path, seed=4).result != undisturbed[0].result


# at the first step, inside an epoch, at its last step, and at the very last step
@pytest.mark.parametrize("steps", [1, 13, 20, 25, 30])
@pytest.mark.parametrize("every_step", [True, False], ids=["saved_every_step", "saved_every_epoch"])
def test_a_stopped_training_goes_on_to_the_same_result(digits_store, tmp_path, undisturbed, steps, every_step):
    options = {"checkpoint_seconds": 0.0 if every_step else 3600.0, "report_seconds": 0.0}
    with pytest.raises(Stop):
        run(digits_store, tmp_path, report=stop_after(steps), **options)
    seen = []
    assert run(digits_store, tmp_path, report=seen.append, **options).result == undisturbed[0].result
    assert (tmp_path / "curve.csv").read_bytes() == (undisturbed[1] / "curve.csv").read_bytes()
    finished = (steps - 1) // STEPS_PER_EPOCH * STEPS_PER_EPOCH
    # the first report after a stop at an epoch's last step is the one that ends the epoch
    first = (steps if steps % STEPS_PER_EPOCH == 0 else steps + 1) if every_step else finished + 1
    assert seen[0].images == first * RECIPE.batch_size


def test_a_training_killed_in_its_validation_has_the_steps_before_it(digits_store, tmp_path, undisturbed, monkeypatch):
    # the first look at the clock is at the start, 40 of 60 seconds before all others
    clock = itertools.chain([0.0], itertools.repeat(40.0))
    with monkeypatch.context() as patch:
        patch.setattr("gpscale.training.trainer.time.monotonic", lambda: next(clock))
        patch.setattr(Training, "finish_epoch", lambda training: (_ for _ in ()).throw(Stop))
        with pytest.raises(Stop):
            run(digits_store, tmp_path, checkpoint_seconds=60.0)
    seen = []
    assert run(digits_store, tmp_path, report=seen.append, report_seconds=0.0).result == undisturbed[0].result
    assert seen[0].images == STEPS_PER_EPOCH * RECIPE.batch_size
    assert (seen[0].epoch, seen[1].images) == (1, (STEPS_PER_EPOCH + 1) * RECIPE.batch_size)


def test_a_training_that_was_done_but_not_recorded_is_not_repeated(digits_store, tmp_path, undisturbed):
    run(digits_store, tmp_path)
    seen = []
    assert run(digits_store, tmp_path, report=seen.append).result == undisturbed[0].result
    assert seen == []


def test_a_training_killed_in_its_second_epoch_goes_on_to_the_same_result(digits_directory, tmp_path, undisturbed):
    command = [*PROGRAM, str(digits_directory), str(tmp_path)]
    with subprocess.Popen(command, **PROCESS) as victim:
        for line in victim.stdout:
            if json.loads(line)["images"] == (STEPS_PER_EPOCH + 4) * RECIPE.batch_size:
                victim.kill()
                break
    assert victim.returncode == -signal.SIGKILL
    assert len(curve(tmp_path)) == 1

    resumed = subprocess.run(command, check=True, **PROCESS).stdout.splitlines()
    assert json.loads(resumed[0])["images"] > RECIPE.batch_size * STEPS_PER_EPOCH
    assert json.loads(resumed[-1]) == dataclasses.asdict(undisturbed[0].result)
    assert (tmp_path / "curve.csv").read_bytes() == (undisturbed[1] / "curve.csv").read_bytes()


def test_a_damaged_checkpoint_costs_time_but_not_the_result(digits_store, tmp_path, undisturbed, caplog):
    with pytest.raises(Stop):
        run(digits_store, tmp_path, report=stop_after(15), report_seconds=0.0)
    (tmp_path / CHECKPOINT_FILE).write_bytes(b"damaged")
    with caplog.at_level(logging.WARNING):
        assert run(digits_store, tmp_path).result == undisturbed[0].result
    assert "starts over" in caplog.text


def test_the_checkpoint_of_another_trial_stops_the_training(digits_store, tmp_path):
    with pytest.raises(Stop):
        run(digits_store, tmp_path, report=stop_after(12), report_seconds=0.0)
    with pytest.raises(RunDirError, match="must belong to trial other"):
        run(digits_store, tmp_path, trial_id="other")


def test_a_loss_that_is_not_finite_ends_the_training_at_once(digits_store, tmp_path):
    model = tiny_model()
    nn.init.constant_(model[0].weight, math.nan)
    seen = []
    options = {"trial_id": "x", "pixels": 16, "seed": 0, "directory": tmp_path, "report": seen.append}
    with pytest.raises(TrainingError, match=r"must stay finite\. Got nan in epoch 1, step 1 of 10.*diverged"):
        train(model, RECIPE, digits_store, **options)
    assert seen == []
    assert not (tmp_path / CHECKPOINT_FILE).exists()


def test_a_learning_rate_beyond_reason_is_reported_as_divergence(digits_store, tmp_path):
    recipe = Recipe(epochs=5, batch_size=16, learning_rate=10.0, weight_decay=10.0, gradient_clip=None, warmup=0.0)
    with pytest.raises(TrainingError, match=r"Lower `recipe\.learning_rate` \(now 10\.0\)"):
        run(digits_store, tmp_path, recipe)


def blow_up_at_last_step(training):
    """Make weights that no training loss has seen."""
    for place, _ in enumerate(training.steps(), start=1):
        if place == training.epoch_steps:
            nn.init.constant_(training.model[-1].weight, math.nan)


@pytest.mark.parametrize("ema", [True, False])
def test_weights_that_blow_up_in_the_last_step_of_an_epoch_are_divergence(digits_store, ema):
    training = Training(tiny_model(), Recipe(epochs=1, batch_size=32, ema=ema), digits_store, 16, 0, CPU)
    blow_up_at_last_step(training)
    with pytest.raises(TrainingError, match=r"Got nan on images that it does not train on, after epoch 1 of 1: the tr"):
        training.finish_epoch()
    assert training.position.curve == []


def test_a_last_step_that_diverges_leaves_nothing_to_go_on_from(digits_store, tmp_path, monkeypatch):
    def all_nan(models, *others):
        return [dataclasses.replace(score, loss=math.nan) for score in evaluate(models, *others)]

    monkeypatch.setattr(loop, "evaluate", all_nan)
    with pytest.raises(TrainingError, match="must stay finite"):
        run(digits_store, tmp_path, Recipe(epochs=1))
    assert list(tmp_path.iterdir()) == []


def test_a_test_loss_that_is_not_finite_is_divergence(digits_store):
    store = dataclasses.replace(digits_store, test_indices=digits_store.validation_indices)
    training = Training(tiny_model(), Recipe(epochs=1, batch_size=32, ema=False), store, 16, 0, CPU)
    nn.init.constant_(training.model[-1].weight, math.inf)
    with pytest.raises(TrainingError, match="must stay finite"):
        training.test()


def test_the_curve_has_one_row_an_epoch_and_its_last_is_the_result(undisturbed):
    outcome, directory = undisturbed
    rows = curve(directory)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [row["images"] for row in rows] == ["320", "640", "960"]
    last, result = rows[-1], outcome.result
    assert float(last["ema_top1"]) == result.top1
    assert float(last["top5"]) == result.top5_raw
    assert float(last["ema_validation_loss"]) == result.validation_loss
    assert float(last["train_loss"]) == result.train_loss
    assert result.epochs == 3


def test_without_an_average_both_halves_of_the_result_are_equal(digits_store, tmp_path):
    result = run(digits_store, tmp_path, Recipe(epochs=1, ema=False)).result
    assert (result.top1, result.top5, result.validation_loss) == (
        result.top1_raw,
        result.top5_raw,
        result.validation_loss_raw,
    )


def test_the_average_differs_from_the_weights_and_averages_statistics_too(digits_store, undisturbed):
    result = undisturbed[0].result
    assert result.validation_loss != result.validation_loss_raw
    training = Training(tiny_model(), RECIPE, digits_store, 16, 0, CPU)
    before = training.states()["ema"]["1.running_mean"].clone()
    for _ in training.steps():
        pass
    states = training.states()
    assert not torch.equal(states["ema"]["1.running_mean"], before)
    assert not torch.equal(states["ema"]["1.running_mean"], states["model"]["1.running_mean"])


def test_progress_counts_images_up_to_the_end(digits_store, tmp_path):
    seen = []
    run(digits_store, tmp_path, report=seen.append, report_seconds=0.0)
    images = [progress.images for progress in seen]
    assert images == sorted(images)
    assert images[0] == RECIPE.batch_size
    assert images[-1] == seen[-1].images_total == 960
    assert (seen[-1].epoch, seen[-1].epochs, seen[-1].trial_id) == (3, 3, "tiny")
    assert all(progress.images_per_second > 0 and math.isfinite(progress.loss) for progress in seen)


def test_what_is_measured_can_be_written_as_json(undisturbed):
    measured = undisturbed[0].measured
    assert json.loads(json.dumps(measured)) == measured
    assert measured["threads"] == 1
    assert measured["images_per_second"] == pytest.approx(960 / measured["train_seconds"], rel=0.05)
    assert measured["peak_memory_bytes"] > 10**7


def test_norms_and_biases_are_not_decayed():
    model = tiny_model()
    decayed, exempt = adamw(model, RECIPE, 1e-3).param_groups
    assert exempt["weight_decay"] == 0.0
    assert decayed["weight_decay"] == RECIPE.weight_decay
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert sorted(names[id(p)] for p in decayed["params"]) == ["0.weight", "3.weight", "9.weight"]
    assert len(exempt["params"]) == len(names) - 3


def test_the_order_of_images_depends_on_seed_and_epoch_only():
    indices = np.arange(100, 200)
    first = epoch_order(1, 0, indices)
    assert np.array_equal(first, epoch_order(1, 0, indices))
    assert not np.array_equal(first, epoch_order(1, 1, indices))
    assert not np.array_equal(first, epoch_order(2, 0, indices))
    assert np.array_equal(np.sort(first), indices)


def test_weights_depend_on_the_seed_alone_and_leave_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    first = initialised(tiny_model, 1)
    assert torch.equal(torch.rand(2), expected)
    assert torch.equal(first[0].weight, initialised(tiny_model, 1)[0].weight)
    assert not torch.equal(first[0].weight, initialised(tiny_model, 2)[0].weight)


def test_training_leaves_the_global_generator_alone(digits_store, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    run(digits_store, tmp_path, Recipe(epochs=1))
    assert torch.equal(torch.rand(2), expected)


def test_scores_are_those_of_a_plain_loop_over_the_validation_images(digits_store):
    training = Training(initialised(tiny_model, 0), RECIPE, digits_store, 16, 0, CPU)
    augmentation = training._augmentation
    indices = digits_store.validation_indices
    (scores,) = evaluate([training.model], augmentation, digits_store, indices, CPU)
    logits = training.model.eval()(augmentation.evaluation(digits_store.batch(indices))).detach()
    labels = torch.from_numpy(digits_store.labels[indices])
    ranks = (logits > logits.gather(1, labels[:, None])).sum(1)
    assert scores.top1 == pytest.approx((ranks == 0).float().mean().item())
    assert scores.top5 == pytest.approx((ranks < 5).float().mean().item())
    assert scores.loss == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=1e-5)


def test_top5_of_fewer_classes_counts_them_all(digits_store, tmp_path):
    keep = digits_store.labels < 3
    train, validation = digits_store.train_indices, digits_store.validation_indices
    store = dataclasses.replace(
        digits_store,
        class_names=("0", "1", "2"),
        train_indices=train[keep[train]],
        validation_indices=validation[keep[validation]],
    )
    assert run(store, tmp_path, Recipe(epochs=1, batch_size=16)).result.top5 == 1.0


@pytest.mark.parametrize(
    "recipe",
    [
        {"precision": "bfloat16"},
        {"channels_last": False},
        {"mixup": 0.2, "crop": "resized"},
        {"randaugment": {"num_ops": 1, "magnitude": 9}},
        {"batch_size": 4096},
    ],
    ids=lambda recipe: next(iter(recipe)),
)
def test_every_kind_of_recipe_trains(digits_store, tmp_path, recipe):
    result = run(digits_store, tmp_path, Recipe(**{"epochs": 1, "batch_size": 64, **recipe})).result
    assert math.isfinite(result.train_loss)
    assert 0 <= result.top1 <= result.top5 <= 1


def test_the_final_model_is_scored_on_the_test_images_once_also_after_an_interruption(tmp_path, monkeypatch):
    store = ImageStore.prepare(DataConfig(train_images=120, validation_images=40), tmp_path / "in", 16, test=True)
    looked_at = []

    def evaluate_and_note(models, augmentation, store, indices, device):
        looked_at.append(len(indices))
        return evaluate(models, augmentation, store, indices, device)

    monkeypatch.setattr(loop, "evaluate", evaluate_and_note)
    outcome = run(store, tmp_path / "trial", Recipe(epochs=2))
    again = run(store, tmp_path / "trial", Recipe(epochs=2))
    assert looked_at == [40, 40, 355, 355]
    assert again.result == outcome.result
    augmentation = Augmentation(RECIPE, 16, store.mean, store.std, 10)
    (scores,) = evaluate([outcome.model], augmentation, store, store.test_indices, CPU)
    assert (outcome.result.test_top1, outcome.result.test_top5, outcome.result.test_loss) == (
        scores.top1,
        scores.top5,
        scores.loss,
    )


def test_without_test_images_a_result_says_nothing_of_them(digits_store, tmp_path):
    result = run(digits_store, tmp_path, Recipe(epochs=1)).result
    assert result.test_top1 is None
    assert not [name for name in result.to_dict() if name.startswith("test")]
