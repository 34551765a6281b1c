"""The commands that are about models, not about sweeps: what they count, how fast they are, what they can do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gpscale.cli import completion
from gpscale.cli.options import Address, Json, Retry, Runs, Set, Trainer, Workers

app = typer.Typer(rich_markup_mode=None)


@app.command()
def families(
    family: Annotated[
        str | None,
        typer.Argument(metavar="FAMILY", help="Only family to list.", autocompletion=completion.families),
    ] = None,
    num_classes: Annotated[int, typer.Option(min=1, help="Outputs of the classifier.")] = 1000,
    trained: Annotated[
        bool, typer.Option("--trained", help="List the form that is trained too, where it has other counts.")
    ] = False,
    json: Json = False,
) -> None:
    """List every named model with its counts and what papers print.

    Beside each print stands how far it is from the count and, where that is known, why.
    """
    from gpscale.cli import counting

    counting.families(family, num_classes, trained=trained, as_json=json)


@app.command()
def count(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="For example mobilevitv2_200@128, edgevit_xxs@224x448, or timm:resnet50 for any model of timm.",
            autocompletion=completion.bases,
        ),
    ],
    num_classes: Annotated[int, typer.Option(min=1, help="Outputs of the classifier.")] = 1000,
    json: Json = False,
    check: Annotated[bool, typer.Option("--check", help="Count again with torch's flop counter and compare.")] = False,
    counter: Annotated[
        str | None,
        typer.Option(metavar="all|NAME", help="Count with other counters beside: fvcore, ptflops, or all there are."),
    ] = None,
) -> None:
    """Count MACs and parameters of a model, exactly."""
    from gpscale.cli import counting

    counting.count(model, num_classes, counter, check=check, as_json=json)


@app.command()
def bench(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL", help="As for count.", autocompletion=completion.bases),
    ] = [],  # noqa: B006
    protocol: Annotated[
        str, typer.Option(help="gpscale, or as in a paper: edgevit, msra, efficientformer.")
    ] = "gpscale",
    runtime: Annotated[str, typer.Option(help="torch or onnxruntime.")] = "torch",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    batch: Annotated[int | None, typer.Option(min=1, help="Images at a time; default: the protocol's.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; default: the protocol's.")] = None,
    runs: Annotated[int | None, typer.Option(min=1, help="Timed runs; default: the protocol's.")] = None,
    warm_up: Annotated[int | None, typer.Option(min=0, help="Runs before; default: the protocol's.")] = None,
    fold: Annotated[
        bool | None, typer.Option("--fold/--no-fold", help="Fold batch normalisations; default: the protocol's.")
    ] = None,
    by_operator: Annotated[
        bool, typer.Option("--by-operator", help="Show where the time goes: by class, module and operator.")
    ] = False,
    resolutions: Annotated[
        int | None,
        typer.Option(metavar="PX PX...", min=1, help="Time at several sizes, and fit how the time grows."),
    ] = None,
    imported: Annotated[
        list[Path],
        typer.Option("--import", metavar="FILE.csv", help="Join timings of another device; may be repeated."),
    ] = [],  # noqa: B006
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw what --by-operator or --resolutions finds; .png, .svg or .pdf."),
    ] = None,
    num_classes: Annotated[int, typer.Option(min=1, help="Outputs of the classifier.")] = 1000,
    json: Json = False,
) -> None:
    """Time models against each other on this machine.

    Timings of another device, such as a phone, come in a CSV file with the columns model and mean_ms and, where they
    are known, sd_ms, batch, device, runtime, threads, dtype, runs and source.
    """
    from gpscale.cli import benchmarking

    changed = {"batch": batch, "threads": threads, "runs": runs, "warm_up": warm_up, "fold": fold}
    # --resolutions 128 160 192: all numbers after the first come as models, which none of them can be
    sizes = [] if resolutions is None else [resolutions, *(int(text) for text in models if text.isdecimal())]
    names = [text for text in models if not (sizes and text.isdecimal())]
    how = benchmarking.How(protocol, changed, runtime, device, num_classes)
    benchmarking.bench(names, how, sizes, imported, figure, by_operator=by_operator, as_json=json)


@app.command()
def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|RECOMMENDATION.json",
            help="A model of our families, or a file that `gpscale recommend --json` printed.",
            autocompletion=completion.bases,
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="File to write.")],
    format: Annotated[
        str, typer.Option(help="onnx, executorch, coreml or torchscript.", autocompletion=completion.formats)
    ] = "onnx",
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE.safetensors", help="Weights of that very model; default: random ones."),
    ] = None,
    data: Annotated[
        str,
        typer.Option(metavar="FOLDER|FILE.yaml|SOURCE", help="Real images to compare on, as for train."),
    ] = "digits",
    images: Annotated[int, typer.Option(min=1, help="How many of them.")] = 100,
    num_classes: Annotated[
        int | None,
        typer.Option(min=1, help="Outputs of the classifier; default: the weights' or the recommendation's, or 1000."),
    ] = None,
    json: Json = False,
) -> None:
    """Write a model for deployment and check it against torch.

    The file is there only if its logits are within 1e-3 of torch's on real images. Core ML is only converted.
    """
    from gpscale.cli import exporting

    exporting.export(model, format, output, weights, data, images, num_classes, as_json=json)


@app.command()
def matrix(
    families: Annotated[
        list[str],
        typer.Argument(metavar="FAMILY", help="Only families to try.", autocompletion=completion.families),
    ] = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Try what each family can do.

    Counting, a training step on real images, ONNX, timing, feature maps. Exit code 1 if anything fails.
    """
    from gpscale.cli import trying

    trying.matrix(families, as_json=json)


@app.command()
def train(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|RECOMMENDATION.json",
            help="For example mobilevitv2_050@64, or what gpscale recommend --json has written.",
            autocompletion=completion.bases,
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.safetensors", help="Weights to write.")],
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.yaml|STUDY",
            help="Settings of a recipe, a sweep file, or the study whose recipe it is; default: the default recipe.",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|FILE.yaml|SOURCE",
            help="Folder of images or Parquet, a sweep file, or a source such as cifar10; default: digits.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides weights, data order and augmentation.")] = 0,
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda; default: a graphics card where there is one.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads on the CPU; default: all cores.")] = None,
    set: Annotated[
        list[str],
        typer.Option("--set", metavar="KEY=VALUE", help="Override a setting of recipe or data; may be repeated."),
    ] = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Train one model in full and score it on the test images.

    The same command again continues.
    """
    from gpscale.cli import training

    training.train(model, recipe, data, output, seed, device, threads, set, as_json=json)


@app.command()
def compare(
    file: Annotated[Path, typer.Argument(metavar="COMPARISON.yaml", help="Comparison file (YAML).")],
    name: Annotated[str | None, typer.Option(help="Name of the run; default: the comparison file's.")] = None,
    workers: Workers = None,
    set: Set = [],  # noqa: B006
    retry: Retry = [],  # noqa: B006
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be built for each budget; write nothing.")
    ] = False,
    executor: Trainer = "local",
    address: Address = None,
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Compare families at equal MACs: accuracy and latency.

    The same command again continues.
    """
    from gpscale.cli import side_by_side
    from gpscale.cli.executors import ExecutorOptions

    where = ExecutorOptions(executor, workers, address)
    if dry_run:
        side_by_side.dry_run(file, set, name, runs, where, as_json=json)
    else:
        side_by_side.compare(file, set, name, runs, where, retry, as_json=json)
