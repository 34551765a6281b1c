"""Commands that read and print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpscale.cli.output import console, print_json
from gpscale.errors import OutOfRangeError, Reach, UnmeasuredBudgetError
from gpscale.units import format_macs, parse_macs

if TYPE_CHECKING:
    from gpscale.sweep import SweepConfig

_STEPS_SHOWN = 20


def space(sweep_file: Path, overrides: Sequence[str], *, as_json: bool) -> None:
    """Print a sweep's search space."""
    from gpscale.sweep import SweepConfig
    from gpscale.sweep.plan import known_classes
    from gpscale.sweep.space_report import describe_space

    config = SweepConfig.load(sweep_file, overrides)
    report = describe_space(config, config.num_classes or known_classes(config))
    if as_json:
        print_json(report)
    else:
        _print_space(report, config)


def _print_space(report: dict[str, Any], config: SweepConfig) -> None:
    from rich.table import Table

    low, high = (format_macs(end) for end in report["band_macs"])
    print(f"base {config.base}: {format_macs(report['base_macs'])} MACs with {report['num_classes']} classes")
    print(
        f"{report['architectures']:,} architectures within the bounds, {report['feasible']:,} of them in the band of "
        f"{low} to {high} MACs (c = {config.band.low:g} to {config.band.high:g})"
    )
    print(
        f"the band excludes {report['below']:,} that are smaller and {report['above']:,} that are larger; sampler "
        f"{config.sampler.name!r} may draw {report['drawable']:,}, the sweep trains {config.trials}"
    )
    table = Table("factor", "bounds", "realised", "levels", "in the band", "never in the band", box=None)
    for name, row in report["factors"].items():
        table.add_row(
            name,
            f"{row['bounds'][0]:g} to {row['bounds'][1]:g}",
            f"{row['realised'][0]:.3f} to {row['realised'][1]:.3f}",
            str(row["levels"]),
            f"{row['in_band'][0]:.3f} to {row['in_band'][1]:.3f}" if row["in_band"] else "none",
            ", ".join(map(_run_of_levels, row["never_in_band"])) or "-",
        )
    console().print(table)
    if not report["base_inside"]:
        print("the bounds exclude the base itself; it is trained all the same")
    print("\nWhat a step of one factor costs, the others at the base (MACs over the base's):")
    for name, steps in report["staircases"].items():
        print(f"\n{name}")
        shown = steps if len(steps) <= _STEPS_SHOWN else [*steps[: _STEPS_SHOWN // 2], *steps[-(_STEPS_SHOWN // 2) :]]
        for position, step in enumerate(shown):
            if len(shown) < len(steps) and position == len(shown) // 2:
                print(f"  ... {len(steps) - len(shown)} more (all of them with --json)")
            print(f"  {step['value']:<26} {step['macs_share']:.3f}")


def _run_of_levels(run: dict[str, Any]) -> str:
    if run["levels"] == 1:
        return f"{run['low']:.3f}"
    return f"{run['low']:.3f} to {run['high']:.3f} ({run['levels']} levels)"


def status(run: str, *, as_json: bool) -> None:
    """Print how far a sweep, or a comparison, is."""
    from gpscale.comparison.comparison_list import find_comparison
    from gpscale.run_dir import find_study
    from gpscale.study import Study

    if (found := find_comparison(run)) is not None:
        from gpscale.cli import side_by_side
        from gpscale.comparison.side_by_side import Comparison

        side_by_side.status(Comparison(found), as_json=as_json)
        return
    study = Study(find_study(run))
    values = study.status()
    if as_json:
        print_json(values)
        return
    states = ", ".join(f"{count} {state}" for state, count in values["trials"].items() if count)
    print(f"{values['study']}: base {values['base']}, {values['planned']} trials planned: {states or 'none yet'}")
    print("a sweep is running here" if values["running"] else "no sweep is running here")
    for failure in values["failures"]:
        print(f"failed {failure['id']}: {failure['reason']}: {failure['detail']}")
    for stop in values["stops"]:
        print(f"stopped {stop['id']}: {stop['reason']} {stop['detail']}")
    if values["best"]:
        best = values["best"]
        print(f"best top-1 so far: {best['top1']:.1%} at {format_macs(best['macs'])} MACs (c = {best['c']:.2f})")


def recommendation(
    macs: str, study: str | None, base: str | None, num_classes: int | None, method: str, *, as_json: bool
) -> None:
    """Print a recommendation."""
    from gpscale.recommender import recommend

    try:
        found = recommend(
            macs,
            study=study,
            base=base,
            num_classes=num_classes,
            method=method,  # type: ignore[arg-type]
        )
    except UnmeasuredBudgetError as error:
        raise OutOfRangeError(_as_options(macs, error.reach)) from None
    if as_json:
        print_json(found.to_dict())
    else:
        print(found)


def _as_options(text: str, reach: Reach) -> str:
    """Say which budgets have a recommendation as one types them."""
    text = text.strip()
    budget, least, largest = parse_macs(text), parse_macs(reach.least), parse_macs(reach.largest)
    millions = f"{text}M"
    if text.isdecimal() and least <= budget * 10**6 <= largest:
        got = f"--macs {text} is {budget:,} multiply-accumulates; did you mean {millions}?"
    elif reach.base is None:
        got = f"--macs must lie in {reach.least} to {reach.largest}, what study {reach.study!r} can answer. Got {text}."
    else:
        (name, macs), (low, high) = reach.base, reach.c_range
        got = (
            f"--macs {text} is c = {budget / macs:.3g} of --base {name} ({format_macs(macs)}). Study {reach.study!r} "
            f"holds c {low:.3f} to {high:.3f}."
        )
    if reach.other_base is not None:
        got += f" Leave --base out, or write --base {reach.other_base}."
    if least <= budget <= largest:
        return f"{got} The nearest that fits: --macs {reach.nearest}."
    end, name = (reach.least, "smallest") if budget < least else (reach.largest, "largest")
    return f"{got} The {name} that fits{'' if reach.base is None else ' this base'}: --macs {end}."
