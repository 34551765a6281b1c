"""Timings of another device, from a CSV file."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpscale.benchmark.imported import COLUMNS, by_place, read_timings
from gpscale.errors import TimingsError

SHIPPED = Path(__file__).parents[2] / "timings"


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


def test_timings_of_one_place_are_those_with_the_same_device_runtime_threads_precision_and_batch(
    tmp_path: Path,
) -> None:
    lines = ["9.5,a,1,1", "1.5,a,1,16", "2.5,b,2,1", "3.5,,,1"]
    text = "\n".join(["model,mean_ms,device,threads,batch", *(f"edgevit_xxs,{line}" for line in lines)])
    rows = read_timings(written(tmp_path, text))
    assert [row.place for row in rows] == ["a, 1 thread", "a, 1 thread, batch 16", "b, 2 threads", "elsewhere"]
    found = by_place(rows, ["edgevit_xxs@224"])
    assert {place: timings["edgevit_xxs@224"].mean_ms for place, timings in found.items()} == dict(
        zip((row.place for row in rows), (9.5, 1.5, 2.5, 3.5), strict=True)
    )
    assert by_place(rows, ["edgevit_xs@224"]) == {}


def test_the_shipped_files_have_what_the_papers_print() -> None:
    edgevit = read_timings(SHIPPED / "edgevit_table2.csv")
    assert {(row.device, row.runs, row.batch, row.dtype) for row in edgevit} == {("Galaxy S21", "50", 1, "float32")}
    assert {row.model: (row.mean_ms, row.sd_ms) for row in edgevit} == {
        "mobilenetv2_100@224": (33.3, 5.3),
        "mobilenetv3_large_075@224": (23.0, 3.7),
        "mobilevit_xxs@256": (69.5, 5.1),
        "mobilevit_xs@256": (150.1, 6.1),
        "mobilevit_s@256": (221.3, 9.3),
        "edgevit_xxs@224": (32.8, 2.7),
        "edgevit_xs@224": (54.1, 2.2),
        "edgevit_s@224": (85.3, 3.9),
    }
    table7 = read_timings(SHIPPED / "method_paper_table7.csv")
    assert {row.device for row in table7} == {"iPhone 12"}
    assert {row.model: row.mean_ms for row in table7} == {
        "edgevit_s@224": 3.41,
        "fastvit_sa12@256": 3.22,
        "mobilevitv2_200@128": 4.58,
    }


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
