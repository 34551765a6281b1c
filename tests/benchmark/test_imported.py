"""Timings of another device, from a CSV file."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpscale.benchmark.imported import COLUMNS, read_timings
from gpscale.errors import TimingsError


def written(directory: Path, text: str) -> Path:
    file = directory / "phone.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_full_line_is_read_with_the_counts_of_its_model(tmp_path: Path) -> None:
    text = f'{",".join(COLUMNS)}\nmobilevitv2_200@128,8.0,0.5,2,iPhone 12,Core ML,1,float16,1000,"table 7, ours"\n'
    (row,) = read_timings(written(tmp_path, text), num_classes=10)
    assert (row.model, row.params, row.macs) == ("mobilevitv2_200@128", 17_434_579, 1_788_700_672)
    assert (row.mean_ms, row.sd_ms, row.batch, row.images_per_second) == (8.0, 0.5, 2, 250.0)
    assert (row.device, row.runtime, row.dtype, row.source) == ("iPhone 12", "Core ML", "float16", "table 7, ours")


def test_what_is_not_known_may_be_left_out_or_empty(tmp_path: Path) -> None:
    rows = read_timings(written(tmp_path, "\ufeffmean_ms,model,sd_ms\n4.58,edgevit_xxs,\n1,timm:resnet18@64,0\n"))
    assert [(row.model, row.mean_ms, row.sd_ms, row.batch) for row in rows] == [
        ("edgevit_xxs@224", 4.58, None, 1),
        ("timm:resnet18@64", 1.0, 0.0, 1),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Got no line"),
        ("model,mean_ms\n", "Got no line"),
        ("model,mean_ms,model\nedgevit_xxs,1,edgevit_xxs\n", "Got 'model' twice"),
        ("model,mean_ms\n\nedgevit_xxs,many\n", "line 3: mean_ms must be"),
        ("model\nedgevit_xxs\n", "must have the column 'mean_ms'. Got model"),
        ("model,mean\nedgevit_xxs,1\n", "'mean' is no column of timings.*Did you mean 'mean_ms'"),
        ("model,mean_ms\nedgevit_xxx,1\n", r"line 2: Unknown model.*Did you mean 'edgevit_xxs@224'"),
        ("model,mean_ms\nedgevit_xxs@100,1\n", "line 2: .*Take 96 or 128"),
        ("model,mean_ms\nedgevit_xxs,1\nedgevit_xxs,fast\n", "line 3: mean_ms must be a number.*Got 'fast'"),
        ("model,mean_ms\nedgevit_xxs,0\n", "mean_ms must be a number of milliseconds. Got '0'"),
        ("model,mean_ms\nedgevit_xxs,nan\n", "Got 'nan'"),
        ("model,mean_ms\nedgevit_xxs,\"1,5\"\n", "Got '1,5'. Write it with a point"),
        ("model,mean_ms,sd_ms\nedgevit_xxs,1,-1\n", "sd_ms must be a number"),
        ("model,mean_ms,batch\nedgevit_xxs,1,1.5\n", "batch must be a whole number from 1. Got '1.5'"),
        ("model,mean_ms\nedgevit_xxs,1,2\n", "line 2 must have a value"),
        ("model,mean_ms,batch\nedgevit_xxs,1\n", "line 2 must have a value"),
        ("model,mean_ms\n\"edgevit_xxs,1\n", "must be a CSV file"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_refused_with_its_line(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(TimingsError, match=words):
        read_timings(written(tmp_path, text))


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TimingsError, match=r"absent.csv must be a file of timings"):
        read_timings(tmp_path / "absent.csv")
    (tmp_path / "image.png").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(TimingsError, match="must be a CSV file"):
        read_timings(tmp_path / "image.png")
