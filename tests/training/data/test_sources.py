import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from gpscale.errors import DataError, UnknownNameError
from gpscale.training.data.config import DataConfig
from gpscale.training.data.sources import SourceRequest, names, open_source
from gpscale.training.data.sources.torchvision_sets import SETS
from tests.training.data.made_images import encoded, picture, write_folder, write_mnist, write_parquet

CIFAR10 = Path(__file__).parents[4] / "shared" / "data" / "cifar10"


def items(source, *indices):
    return list(source.items(np.array(indices or range(len(source.labels)), np.int64)))


def test_an_unknown_source_names_the_nearest_one():
    with pytest.raises(UnknownNameError, match=r"Unknown data source 'cifar_10'.*Did you mean 'cifar10'\?"):
        DataConfig(source="cifar_10")


def test_all_kinds_of_sources_are_found():
    assert {"digits", "folder", "parquet", "cifar10", "fashion_mnist", "oxford_iiit_pet"} <= set(names())


# digits


def test_digits_are_sklearns_with_a_fifth_of_every_class_set_apart():
    train, test = (open_source(SourceRequest("digits", split=split)) for split in ("train", "test"))
    everything = load_digits()
    assert len(train.labels) + len(test.labels) == len(everything.target)
    for source, share in ((train, 0.8), (test, 0.2)):
        np.testing.assert_allclose(np.bincount(source.labels), share * np.bincount(everything.target), atol=1)
    seen = {source.name(index) for source in (train, test) for index in range(len(source.labels))}
    assert len(seen) == len(everything.target)
    place = int(test.name(7).removeprefix("digit "))
    (image,) = items(test, 7)
    np.testing.assert_allclose(image / 255, everything.images[place] / 16, atol=0.002)
    assert test.labels[7] == everything.target[place]


# folder


def test_a_folder_is_read_with_and_without_a_train_folder(tmp_path):
    plain = open_source(SourceRequest("folder", write_folder(tmp_path / "plain")))
    write_folder(tmp_path / "split" / "train")
    write_folder(tmp_path / "split" / "test", per_class=2)
    split = open_source(SourceRequest("folder", tmp_path / "split"))
    test = open_source(SourceRequest("folder", tmp_path / "split", split="test"))
    assert plain.class_names == split.class_names == test.class_names == ("cat", "dog")
    assert plain.labels.tolist() == split.labels.tolist() == [0] * 6 + [1] * 6
    assert items(plain) == items(split)
    assert plain.name(7) == "dog/00001.png"
    assert len(test.labels) == 4


def test_a_folder_without_test_images_cannot_be_compared_on(tmp_path):
    write_folder(tmp_path)
    with pytest.raises(DataError, match="A test split must lie in"):
        open_source(SourceRequest("folder", tmp_path, split="test"))


def test_other_files_in_a_class_folder_are_no_images(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "cat" / "notes.txt").write_text("about cats")
    (tmp_path / ".cache").mkdir()
    assert len(open_source(SourceRequest("folder", tmp_path)).labels) == 12


def test_a_missing_root_a_file_and_an_empty_folder_are_refused(tmp_path):
    file = tmp_path / "file"
    file.touch()
    (tmp_path / "empty").mkdir()
    for root, message in (
        (None, r"`data\.root` must say where"),
        (tmp_path / "absent", "where nothing is"),
        (file, "where a file is"),
        (tmp_path / "empty", "one folder for each class"),
    ):
        with pytest.raises(DataError, match=message):
            open_source(SourceRequest("folder", root))


def test_a_class_folder_without_images_is_refused_by_name(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "emu").mkdir()
    with pytest.raises(DataError, match=r"Got none in '.*emu'"):
        open_source(SourceRequest("folder", tmp_path))


def test_one_class_only_is_refused_by_name(tmp_path):
    write_folder(tmp_path, classes=("cat",))
    with pytest.raises(DataError, match=r"at least two classes\. Got one, 'cat'"):
        open_source(SourceRequest("folder", tmp_path))


# parquet


def images(count, start=0):
    return [encoded(picture(start + index)) for index in range(count)]


def test_parquet_files_are_read_in_order_with_the_names_of_their_classes(tmp_path):
    write_parquet(tmp_path / "train-00000.parquet", images(5), [0, 1, 0, 1, 2], names=["a", "b", "c", "unused"])
    write_parquet(tmp_path / "train-00001.parquet", images(6, 5), [2, 2, 0, 1, 0, 1], names=["a", "b", "c", "unused"])
    write_parquet(tmp_path / "test-00000.parquet", images(2, 50), [1, 0], names=["a", "b", "c", "unused"])
    source = open_source(SourceRequest("parquet", tmp_path))
    assert source.labels.tolist() == [0, 1, 0, 1, 2, 2, 2, 0, 1, 0, 1]
    assert source.class_names == ("a", "b", "c", "unused")
    assert items(source) == images(11)
    assert items(source, 1, 4, 5, 10) == [images(11)[index] for index in (1, 4, 5, 10)]
    assert source.name(6) == "train-00001.parquet row 1"
    assert open_source(SourceRequest("parquet", tmp_path, split="test")).labels.tolist() == [1, 0]


@pytest.mark.parametrize("columns", [("img", "label"), ("image", "labels"), ("img", "fine_label")])
def test_the_usual_column_names_are_known_and_labels_without_names_are_numbered(tmp_path, columns):
    write_parquet(tmp_path / "data" / "train.parquet", images(4), [7, 3, 3, 7], columns=columns)
    source = open_source(SourceRequest("parquet", tmp_path))
    assert source.labels.tolist() == [1, 0, 0, 1]
    assert source.class_names == ("3", "7")


def test_a_folder_without_parquet_files_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"must hold train\*\.parquet"):
        open_source(SourceRequest("parquet", tmp_path))


def test_a_corrupt_parquet_file_is_refused_by_name(tmp_path):
    file = tmp_path / "train.parquet"
    write_parquet(file, images(4), [0, 1, 0, 1])
    for content in (file.read_bytes()[:-20], b"", b"PAR1 not really PAR1"):
        file.write_bytes(content)
        with pytest.raises(DataError, match=r"train\.parquet must be a readable Parquet file"):
            open_source(SourceRequest("parquet", tmp_path))


def test_parquet_without_the_columns_says_which_there_are(tmp_path):
    write_parquet(tmp_path / "train.parquet", images(4), [0, 1, 0, 1], columns=("photo", "label"))
    with pytest.raises(DataError, match=r"a column image or img .* Got photo, label\."):
        open_source(SourceRequest("parquet", tmp_path))


@pytest.mark.parametrize("labels", [[0, 1, None, 1], [0, 1, -1, 1]])
def test_images_without_a_label_are_refused(tmp_path, labels):
    write_parquet(tmp_path / "train.parquet", images(4), labels)
    with pytest.raises(DataError, match=r"without a label|must not be negative"):
        open_source(SourceRequest("parquet", tmp_path))


@pytest.mark.skipif(not CIFAR10.exists(), reason="the CIFAR-10 files are not there")
def test_the_real_cifar10_has_its_classes_and_images():
    source = open_source(SourceRequest("parquet", CIFAR10))
    assert source.class_names[:3] == ("airplane", "automobile", "bird")
    assert np.bincount(source.labels).tolist() == [5000] * 10
    # JPEG files
    assert all(item.startswith(b"\xff\xd8") for item in items(source, 0, 49_999))


# torchvision


def test_an_mnist_that_lies_there_is_read_through_torchvision(tmp_path):
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (20, 28, 28), dtype=np.uint8)
    labels = (np.arange(20) % 10).astype(np.uint8)
    write_mnist(tmp_path, pixels, labels)
    write_mnist(tmp_path, pixels[:10], labels[:10], split="test")
    source = open_source(SourceRequest("mnist", tmp_path))
    assert source.labels.tolist() == labels.tolist()
    assert source.class_names[0] == "0 - zero"
    np.testing.assert_array_equal(items(source), pixels)
    before = source.stamp
    assert len(open_source(SourceRequest("mnist", tmp_path, split="test")).labels) == 10
    write_mnist(tmp_path, 255 - pixels, labels)
    assert open_source(SourceRequest("mnist", tmp_path)).stamp != before


def test_a_file_based_torchvision_set_is_read_from_its_files(tmp_path):
    write_folder(tmp_path / "country211" / "train", classes=("AD", "AE"), per_class=3, kind="JPEG")
    write_folder(tmp_path / "country211" / "test", classes=("AD", "AE"), per_class=1, kind="JPEG")
    source = open_source(SourceRequest("country211", tmp_path))
    assert source.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert source.class_names == ("AD", "AE")
    assert items(source, 4) == [source.files[4].read_bytes()]


@pytest.mark.parametrize("name", sorted(SETS))
@pytest.mark.parametrize("split", ["train", "test"])
def test_an_absent_torchvision_set_says_how_to_get_it(tmp_path, name, split):
    with pytest.raises(DataError, match=rf"'{name}' must lie complete .*`data\.download`"):
        open_source(SourceRequest(name, tmp_path, split=split))
    # a wrong keyword or class name in the table would be reported as an absent set, too
    from torchvision import datasets

    with pytest.raises(Exception, match=r"(?i)not found|No such file") as caught:
        getattr(datasets, SETS[name].class_name)(str(tmp_path), **SETS[name].keywords(split))
    assert isinstance(caught.value, RuntimeError | FileNotFoundError)


def test_a_torchvision_set_needs_a_root(tmp_path):
    with pytest.raises(DataError, match=r"`data\.root` must say where 'cifar10' lies"):
        open_source(SourceRequest("cifar10"))
    with pytest.raises(DataError, match=r"must be a directory.*which is none"):
        open_source(SourceRequest("cifar10", tmp_path / "absent"))


def test_listing_the_sources_imports_none_of_their_libraries():
    program = (
        "import sys; from gpscale.training.data.sources import names; names(); "
        "print([name for name in ('torch', 'torchvision', 'sklearn', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
