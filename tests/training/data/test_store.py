import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gpscale.errors import DataError
from gpscale.run_dir import SHIPPED_STUDIES
from gpscale.sweep import SweepConfig
from gpscale.training.data.config import DataConfig
from gpscale.training.data.sources import SourceRequest, open_source
from gpscale.training.data.store import ImageStore
from gpscale.training.recipe import Recipe
from tests.training.data.made_images import encoded, picture, write_folder, write_parquet
from tests.training.tiny_training import PROCESS, PROGRAM, run


def folder(root, **fields):
    return DataConfig(source="folder", root=root, **fields)


def everything(store):
    return store.batch(np.arange(len(store.labels)))


def files(directory):
    return {path.name for path in directory.iterdir()}


def test_digits_are_stored_as_they_are_with_their_split(tmp_path):
    store = ImageStore.prepare(DataConfig(), tmp_path, max_pixels=64)
    assert store.side == 8
    assert store.num_classes == 10
    assert store.images.shape == (len(store.labels), 8, 8, 3)
    assert isinstance(store.images, np.memmap)
    assert not store.images.flags.writeable
    assert store.train_indices.dtype == store.validation_indices.dtype == np.int64
    assert np.intersect1d(store.train_indices, store.validation_indices).size == 0
    batch = store.batch(store.train_indices[:5])
    assert (batch.dtype, batch.shape) == (torch.uint8, (5, 3, 8, 8))
    assert np.array_equal(batch.permute(0, 2, 3, 1), store.images[store.train_indices[:5]])
    assert files(tmp_path) == {"images.npy", "split.npz", "meta.json"}


def test_mean_and_deviation_are_those_of_the_training_part(tmp_path):
    store = ImageStore.prepare(folder(write_folder(tmp_path / "in", per_class=10)), tmp_path / "out", max_pixels=8)
    pixels = store.images[store.train_indices].astype(np.float64)
    np.testing.assert_allclose(store.mean, pixels.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(store.std, pixels.std((0, 1, 2)), rtol=1e-9)


def test_images_of_several_sizes_are_cut_to_squares_of_the_largest_trial(tmp_path):
    root = write_folder(tmp_path / "in")
    wide, tall = picture(1, 60, 30), picture(2, 25, 50)
    (root / "cat" / "tall.png").write_bytes(encoded(tall))
    (root / "cat" / "wide.png").write_bytes(encoded(wide))
    store = ImageStore.prepare(folder(root), tmp_path / "out", max_pixels=12)
    assert store.side == 12
    for stored, image, size, box in (
        (store.images[6], tall, (12, 24), (0, 6, 12, 18)),
        (store.images[7], wide, (24, 12), (6, 0, 18, 12)),
    ):
        expected = np.asarray(image.resize(size, Image.Resampling.BICUBIC).crop(box), np.float64)
        # resizing the whole image rounds some filter weights the other way
        np.testing.assert_allclose(stored, expected, rtol=0, atol=1)
    assert ImageStore.prepare(folder(root, stored_pixels=9), tmp_path / "out", max_pixels=12).side == 9


def test_square_images_of_one_size_keep_it(tmp_path):
    root = write_folder(tmp_path / "in", width=16, height=16)
    store = ImageStore.prepare(folder(root), tmp_path / "out", max_pixels=64)
    assert store.side == 16
    assert np.array_equal(store.images[0], np.asarray(picture(0, 16, 16)))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1"])
def test_images_of_other_modes_get_three_channels(tmp_path, mode):
    root = write_folder(tmp_path / "in", width=16, height=16)
    image = picture(0, 16, 16).convert(mode)
    (root / "cat" / "00000.png").unlink()
    (root / "cat" / "00000.tiff").write_bytes(encoded(image, "TIFF"))
    store = ImageStore.prepare(folder(root), tmp_path / "out", max_pixels=16)
    assert np.array_equal(store.images[0], np.asarray(image.convert("RGB")))


# once only


def test_a_second_preparation_decodes_nothing(tmp_path):
    root = write_folder(tmp_path / "in")
    first = ImageStore.prepare(folder(root), tmp_path / "out", max_pixels=12)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    second = ImageStore.prepare(folder(root), tmp_path / "out", max_pixels=12)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before
    assert second.fingerprint == first.fingerprint


@pytest.mark.parametrize(
    "change",
    [{"validation": 0.5}, {"split_seed": 1}, {"stored_pixels": 7}, {"train_images": 4}],
    ids=lambda c: next(iter(c)),
)
def test_another_split_or_size_has_another_fingerprint(tmp_path, change):
    root = write_folder(tmp_path / "in")
    first = ImageStore.prepare(folder(root), tmp_path / "out", max_pixels=12)
    second = ImageStore.prepare(folder(root, **change), tmp_path / "out", max_pixels=12)
    assert second.fingerprint != first.fingerprint


def test_a_changed_image_has_another_fingerprint_and_is_decoded_again(tmp_path):
    root = write_folder(tmp_path / "in")
    first = ImageStore.prepare(folder(root), tmp_path / "out", max_pixels=12)
    (root / "cat" / "00003.png").write_bytes(encoded(picture(999)))
    second = ImageStore.prepare(folder(root), tmp_path / "out", max_pixels=12)
    assert second.fingerprint != first.fingerprint
    # the older store is still whole for a worker that has it open
    assert np.array_equal(first.images[0], second.images[0])
    assert not np.array_equal(first.images[3], second.images[3])


def test_the_fingerprint_does_not_depend_on_place_or_layout(tmp_path):
    root = write_folder(tmp_path / "in")
    shutil.copytree(root, tmp_path / "copy")
    images = [path.read_bytes() for path in sorted(root.rglob("*.png"))]
    write_parquet(tmp_path / "parquet" / "train.parquet", images, [0] * 6 + [1] * 6, names=["cat", "dog"])
    configs = (folder(root), folder(tmp_path / "copy"), DataConfig(source="parquet", root=tmp_path / "parquet"))
    stores = [ImageStore.prepare(config, tmp_path / "out", max_pixels=12) for config in configs]
    assert len({store.fingerprint for store in stores}) == 1


def test_a_preparation_that_was_cut_off_is_done_again(tmp_path):
    root = write_folder(tmp_path / "in")
    first = ImageStore.prepare(folder(root), tmp_path / "out", max_pixels=12)
    (tmp_path / "out" / "meta.json").write_text('{"key": ')
    with pytest.raises(DataError, match="must hold the decoded images of a sweep"):
        ImageStore.open(tmp_path / "out")
    assert ImageStore.prepare(folder(root), tmp_path / "out", max_pixels=12).fingerprint == first.fingerprint


def test_files_that_are_gone_or_cut_short_are_made_again(tmp_path):
    root = write_folder(tmp_path / "in")
    write_parquet(tmp_path / "train.parquet", [path.read_bytes() for path in sorted(root.rglob("*.png"))], [0, 1] * 6)
    stored, packed = folder(root), DataConfig(source="parquet", root=tmp_path, memory_cap=100, stream_workers=0)
    for config, names in ((stored, ("images.npy", "split.npz")), (packed, ("packed.bin", "ends.npy"))):
        out = tmp_path / config.source
        expected = everything(ImageStore.prepare(config, out, max_pixels=12))
        for name in names:
            with (out / name).open("r+b") as file:
                file.truncate(file.seek(0, os.SEEK_END) - 7)
            assert torch.equal(everything(ImageStore.prepare(config, out, max_pixels=12)), expected)
            (out / name).unlink()
            assert torch.equal(everything(ImageStore.prepare(config, out, max_pixels=12)), expected)


def test_a_store_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="absent must hold"):
        ImageStore.open(tmp_path / "absent")


def test_a_worker_opens_a_store_without_the_libraries_of_its_source(tmp_path):
    ImageStore.prepare(DataConfig(), tmp_path, max_pixels=8)
    program = (
        "import sys; from pathlib import Path; from gpscale.training.data.store import ImageStore; import numpy as np; "
        f"ImageStore.open(Path({str(tmp_path)!r})).batch(np.arange(3)); "
        "print([name for name in ('sklearn', 'pyarrow', 'torchvision') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# bad images


def test_undecodable_images_are_named_and_counted_and_nothing_is_left(tmp_path):
    root = write_folder(tmp_path / "in", per_class=8)
    for index in range(7):
        (root / "cat" / f"{index:05d}.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"Got 7 of 16 that are not: cat/00000\.png, .*cat/00004\.png and 2 more\."):
        ImageStore.prepare(folder(root), tmp_path / "out", max_pixels=12)
    assert files(tmp_path / "out") == set()


def test_a_truncated_jpeg_and_a_parquet_row_without_bytes_are_undecodable(tmp_path):
    root = write_folder(tmp_path / "in", kind="JPEG", width=64, height=64)
    path = root / "dog" / "00002.jpeg"
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(DataError, match=r"Got 1 of 12 that are not: dog/00002\.jpeg\."):
        ImageStore.prepare(folder(root), tmp_path / "out", max_pixels=12)
    images = [encoded(picture(index)) for index in range(8)]
    images[3] = None
    write_parquet(tmp_path / "train.parquet", images, [0, 1] * 4)
    with pytest.raises(DataError, match=r"Got 1 of 8 that are not: train\.parquet row 3\."):
        ImageStore.prepare(DataConfig(source="parquet", root=tmp_path), tmp_path / "out", max_pixels=12)


# streaming


@pytest.fixture(scope="module")
def jpegs(tmp_path_factory):
    """2,000 JPEGs of two classes, 40 x 32 pixels."""
    return write_folder(tmp_path_factory.mktemp("jpegs") / "in", per_class=1000, kind="JPEG", width=40, height=32)


@pytest.fixture(scope="module")
def mapped(jpegs, tmp_path_factory):
    return ImageStore.prepare(folder(jpegs, train_images=1500), tmp_path_factory.mktemp("mapped"), max_pixels=24)


@pytest.fixture(scope="module")
def streaming_directory(jpegs, tmp_path_factory):
    directory = tmp_path_factory.mktemp("streaming")
    config = folder(jpegs, train_images=1500, memory_cap="1MiB", stream_workers=2)
    ImageStore.prepare(config, directory, max_pixels=24)
    return directory


def test_a_set_above_the_memory_cap_is_not_stored_decoded(streaming_directory, mapped):
    streaming = ImageStore.open(streaming_directory)
    assert mapped.images is not None
    assert streaming.images is None
    assert files(streaming_directory) == {"files.txt", "split.npz", "meta.json"}
    assert (streaming.fingerprint, streaming.mean, streaming.std) == (mapped.fingerprint, mapped.mean, mapped.std)


def test_streamed_images_equal_the_stored_ones(streaming_directory, mapped):
    streaming = ImageStore.open(streaming_directory)
    assert torch.equal(everything(streaming), everything(mapped))
    chunks = np.split(np.random.default_rng(0).permutation(len(mapped.labels))[:600], 6)
    for streamed, stored in zip(streaming.batches(chunks), mapped.batches(chunks), strict=True):
        assert torch.equal(streamed, stored)
        assert streamed.stride() == stored.stride()


def test_a_training_from_a_stream_has_the_same_result(streaming_directory, mapped, tmp_path):
    recipe = Recipe(epochs=2, batch_size=100)
    stored = run(mapped, tmp_path / "mapped", recipe)
    streamed = run(ImageStore.open(streaming_directory), tmp_path / "streamed", recipe)
    assert streamed.result == stored.result


def test_images_without_files_of_their_own_are_packed_and_streamed(tmp_path):
    root = write_folder(tmp_path / "in")
    images = [path.read_bytes() for path in sorted(root.rglob("*.png"))]
    write_parquet(tmp_path / "train.parquet", images, [0] * 6 + [1] * 6)
    parquet = DataConfig(source="parquet", root=tmp_path, stream_workers=0)
    for config in (parquet, DataConfig(train_images=100, stream_workers=0)):
        stored = ImageStore.prepare(config, tmp_path / "stored", max_pixels=12)
        packed = ImageStore.prepare(config.model_copy(update={"memory_cap": 1000}), tmp_path / "packed", max_pixels=12)
        assert packed.images is None
        assert torch.equal(everything(packed), everything(stored))
        assert packed.fingerprint == stored.fingerprint


def test_images_on_a_device_equal_the_mapped_ones(tmp_path):
    store = ImageStore.prepare(DataConfig(), tmp_path, 32)
    resident = store.on(torch.device("cpu"))
    batches = [np.array([3, 1, 2]), np.array([9, 9])]
    for own, its in zip(resident.batches(batches), store.batches(batches), strict=True):
        assert torch.equal(own, its)
        assert own.stride() == its.stride()
    assert torch.equal(resident.batch(batches[0]), store.batch(batches[0]))
    # workers of a CPU share the mapped file
    assert store.near(torch.device("cpu")) is store


def test_an_image_that_disappears_while_streaming_is_an_error(tmp_path):
    root = write_folder(tmp_path / "in")
    config = folder(root, memory_cap=100, stream_workers=0)
    store = ImageStore.prepare(config, tmp_path / "out", max_pixels=12)
    (root / "cat" / "00001.png").unlink()
    with pytest.raises(DataError, match=r"must stay in their place.*00001\.png"):
        store.batch(np.arange(3))


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="children are found through Linux's /proc")
def test_processes_that_decode_die_with_a_killed_training(streaming_directory, tmp_path):
    command = [*PROGRAM, str(streaming_directory), str(tmp_path)]
    with subprocess.Popen(command, **PROCESS) as training:
        json.loads(training.stdout.readline())
        workers = children(training.pid)
        assert len(workers) == 2
        training.kill()
    deadline = time.monotonic() + 3
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(alive, workers))


def test_test_images_are_a_part_of_their_own_and_change_nothing_of_the_others(tmp_path):
    plain = ImageStore.prepare(DataConfig(train_images=100), tmp_path / "plain", max_pixels=8)
    store = ImageStore.prepare(DataConfig(train_images=100), tmp_path / "tested", max_pixels=8, test=True)
    source = open_source(SourceRequest("digits", split="test"))
    assert len(plain.test_indices) == 0
    assert np.array_equal(store.labels[store.test_indices], source.labels)
    wanted = np.stack([next(source.items(np.array([index]))) for index in range(5)])
    assert np.array_equal(store.batch(store.test_indices[:5])[:, 0].numpy(), wanted)
    for part in ("train_indices", "validation_indices"):
        own, its = (everything(kept)[getattr(kept, part)] for kept in (plain, store))
        assert torch.equal(own, its)
    assert (store.mean, store.std, store.class_names) == (plain.mean, plain.std, plain.class_names)
    assert store.fingerprint != plain.fingerprint
    assert store.search_fingerprint == plain.search_fingerprint == plain.fingerprint


def test_other_test_images_do_not_change_by_which_fingerprint_a_sweep_is_known(tmp_path):
    write_folder(tmp_path / "in" / "train")
    write_folder(tmp_path / "in" / "test")
    data = folder(tmp_path / "in", stored_pixels=8)
    first = ImageStore.prepare(data, tmp_path / "first", max_pixels=8, test=True)
    (tmp_path / "in" / "test" / "cat" / "00000.png").write_bytes(encoded(picture(999)))
    tested = ImageStore.prepare(data, tmp_path / "tested", max_pixels=8, test=True)
    assert (tested.search_fingerprint, tested.fingerprint != first.fingerprint) == (first.search_fingerprint, True)
    (tmp_path / "in" / "train" / "cat" / "00000.png").write_bytes(encoded(picture(999)))
    trained = ImageStore.prepare(data, tmp_path / "trained", max_pixels=8, test=True)
    assert trained.search_fingerprint != first.search_fingerprint


def test_a_store_that_an_earlier_version_has_made_has_one_fingerprint(tmp_path):
    made = ImageStore.prepare(DataConfig(train_images=100), tmp_path, max_pixels=8)
    meta = json.loads((tmp_path / "meta.json").read_text())
    del meta["search_fingerprint"]
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    assert ImageStore.open(tmp_path).search_fingerprint == made.fingerprint


def test_a_store_without_test_images_has_the_fingerprint_that_it_always_had(tmp_path):
    provenance = json.loads((SHIPPED_STUDIES / "quickstart" / "provenance.json").read_text())
    config = SweepConfig.load(SHIPPED_STUDIES / "quickstart" / "sweep.yaml")
    assert ImageStore.prepare(config.data, tmp_path, max_pixels=64).fingerprint == provenance["data"]["fingerprint"]


def test_a_test_split_with_other_classes_is_refused(tmp_path):
    write_folder(tmp_path / "in" / "train")
    shutil.copytree(tmp_path / "in" / "train", tmp_path / "in" / "test")
    (tmp_path / "in" / "test" / "cat").rename(tmp_path / "in" / "test" / "cow")
    with pytest.raises(DataError, match="must have the same classes. Got 2 and 2, that differ in cat, cow"):
        ImageStore.prepare(folder(tmp_path / "in"), tmp_path / "out", max_pixels=8, test=True)


def test_a_test_image_that_cannot_be_decoded_is_named_with_its_split(tmp_path):
    write_folder(tmp_path / "in" / "train")
    write_folder(tmp_path / "in" / "test")
    (tmp_path / "in" / "test" / "cat" / "broken.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"Got 1 of \d+ that are not: .*broken\.png of the test split"):
        ImageStore.prepare(folder(tmp_path / "in"), tmp_path / "out", max_pixels=8, test=True)
