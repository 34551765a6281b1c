from __future__ import annotations

from pathlib import Path

import pytest

from gpscale.errors import DataError
from gpscale.training.data.config import DataConfig
from gpscale.training.data.survey import LOOKED_AT, Survey, find_source, survey
from tests.training.data.made_images import encoded, picture, write_folder, write_parquet


def look(root: Path) -> Survey:
    return survey(DataConfig(source=find_source(root), root=root))


@pytest.mark.parametrize("folder", ["", "train"])
def test_class_folders_are_found(folder: str, tmp_path: Path) -> None:
    write_folder(tmp_path / folder, per_class=10)
    assert find_source(tmp_path) == "folder"
    assert look(tmp_path) == Survey(("cat", "dog"), 16, 4, (((20, 16), 20),))


@pytest.mark.parametrize("folder", ["", "data"])
def test_parquet_is_found(folder: str, tmp_path: Path) -> None:
    images = [encoded(picture(seed, 30 + seed, 24)) for seed in range(4)]
    write_parquet(tmp_path / folder / "train-00000.parquet", images, [0, 1] * 2, ["cat", "dog"])
    assert find_source(tmp_path) == "parquet"
    found = look(tmp_path)
    assert found.classes == ("cat", "dog")
    assert sorted(size for size, _ in found.sizes) == [(30, 24), (31, 24), (32, 24), (33, 24)]


def test_sizes_are_counted_the_commonest_first(tmp_path: Path) -> None:
    write_folder(tmp_path, classes=("cat",), per_class=3, width=40, height=60)
    write_folder(tmp_path, classes=("dog",), per_class=5, width=100, height=80)
    found = look(tmp_path)
    assert found.sizes == (((100, 80), 5), ((40, 60), 3))
    assert found.looked_at == 8
    assert found.short_sides == (40, 80, 80)


def test_of_many_files_some_are_looked_at_in_every_class(tmp_path: Path) -> None:
    write_folder(tmp_path, classes=("cat",), per_class=LOOKED_AT, width=8, height=8)
    write_folder(tmp_path, classes=("dog",), per_class=LOOKED_AT, width=6, height=6)
    assert look(tmp_path).sizes == (((8, 8), LOOKED_AT // 2), ((6, 6), LOOKED_AT // 2))


def test_an_image_that_cannot_be_decoded_is_passed_over(tmp_path: Path) -> None:
    write_folder(tmp_path)
    (tmp_path / "cat" / "00001.png").write_bytes(b"no picture")
    assert look(tmp_path).looked_at == 11


def test_images_of_which_none_can_be_decoded_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path)
    for file in tmp_path.rglob("*.png"):
        file.write_bytes(b"no picture")
    with pytest.raises(DataError, match="must be decodable. Got none"):
        look(tmp_path)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match=r"train/<class>/\*.*train\*\.parquet.*has no image"):
        find_source(tmp_path)


def test_a_file_or_nothing_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("file", "absent"):
        with pytest.raises(DataError, match=f"must lie in a folder.*{name}"):
            find_source(tmp_path / name)
