"""The command that trains one model in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gpscale.cli.output import print_json
from gpscale.cli.progress import listener
from gpscale.comparison.full_training import read_settings, train_model
from gpscale.comparison.proportions import interval_of_share
from gpscale.families.chosen import find_architecture
from gpscale.run_dir import RunDir
from gpscale.trial import TrialRecord
from gpscale.units import format_macs


def train(
    model: str,
    recipe: str | None,
    data: str | None,
    output: Path,
    seed: int,
    device: str | None,
    threads: int | None,
    overrides: Sequence[str],
    *,
    as_json: bool,
) -> None:
    """Train one architecture with progress, then print how it does on the test images."""
    chosen = find_architecture(model)
    settings = read_settings(recipe, data, overrides)
    with listener(as_json=as_json, workers=lambda: 1) as progress:
        record = train_model(
            chosen,
            settings,
            output,
            seed=seed,
            device=device,
            threads=threads,
            on_plan=progress.plan,
            on_event=progress.event,
        )
    images = RunDir(output.with_suffix("")).described_images()
    if as_json:
        print_json({"model": chosen.name, "weights": str(output), "images": images, "record": record.to_dict()})
    else:
        _print(chosen.name, output, images, record)


def _print(name: str, output: Path, images: Mapping[str, Any], record: TrialRecord) -> None:
    result, measured, tested = record.result, record.measured, images["test_images"]
    assert result is not None
    assert result.test_top1 is not None
    assert result.test_top5 is not None
    low, high = interval_of_share(result.test_top1, tested)
    print(
        f"\n{name}, {record.trial.num_classes} classes: {format_macs(result.macs)} MACs, {format_macs(result.params)} "
        f"parameters\ntrained on {images['train_images']:,} images of {images['source']} for {result.epochs} epochs, "
        f"seed {record.trial.seed}: {measured['train_seconds'] / 60:.1f} minutes on {measured['device']}\n"
        f"validation  top-1 {result.top1:.1%}  top-5 {result.top5:.1%}  of {images['validation_images']:,} images\n"
        f"test        top-1 {result.test_top1:.1%}  top-5 {result.test_top5:.1%}  of {tested:,} images "
        f"(95 % interval of top-1 for as many other images: {low:.1%} to {high:.1%})\n"
        f"weights: {output}; learning curve and record: {output.with_suffix('')}"
    )
