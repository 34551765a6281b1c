import numpy as np
import pytest

from gpscale.errors import DataError
from gpscale.training.data.config import DataConfig
from gpscale.training.data.sources import SourceRequest, open_source
from gpscale.training.data.split import split_by_class, split_labels

LABELS = np.repeat(np.arange(3), [10, 50, 100])
NAMES = ("ant", "bee", "cow")


def split(labels=LABELS, **options):
    return split_by_class(labels, NAMES, **{"validation": 0.2, "seed": 0, **options})


def counts(indices, labels=LABELS):
    return np.bincount(labels[indices], minlength=3).tolist()


def test_every_class_gives_its_share_to_validation():
    train, validation = split()
    assert counts(validation) == [2, 10, 20]
    assert counts(train) == [8, 40, 80]
    assert np.intersect1d(train, validation).size == 0
    assert np.array_equal(train, np.sort(train))


def test_the_seed_alone_decides_which_images_validate():
    assert np.array_equal(split()[1], split()[1])
    assert not np.array_equal(split()[1], split(seed=1)[1])


@pytest.mark.parametrize("validation", [0.001, 0.999])
def test_each_part_keeps_an_image_of_every_class(validation):
    for part in split(validation=validation):
        assert min(counts(part)) >= 1


@pytest.mark.parametrize("cap", [3, 17, 64, 127])
def test_a_cap_keeps_the_shares_of_the_classes(cap):
    train, validation = split(train_images=cap)
    assert len(train) == cap
    exact = np.array([8, 40, 80]) * cap / 128
    assert np.abs(np.array(counts(train)) - np.maximum(exact, 1)).max() <= 1
    assert counts(validation) == [2, 10, 20]


def test_a_smaller_cap_takes_some_of_the_images_of_a_larger_one():
    larger = split(train_images=64, validation_images=16)
    smaller = split(train_images=32, validation_images=8)
    for large, small in zip(larger, smaller, strict=True):
        assert np.isin(small, large).all()


def test_a_cap_above_the_number_of_images_takes_them_all():
    assert len(split(train_images=10_000)[0]) == 128


def test_a_cap_below_the_number_of_classes_is_refused():
    with pytest.raises(DataError, match=r"`data\.validation_images` must leave an image to every class\. Got 2 for 3"):
        split(validation_images=2)


def test_a_source_is_split_as_its_settings_say():
    source = open_source(SourceRequest("digits"))
    settings = {"validation": 0.3, "train_images": 200, "validation_images": 100}
    config = DataConfig(source="digits", split_seed=3, **settings)
    expected = split_by_class(source.labels, source.class_names, seed=3, **settings)
    for found, wanted in zip(split_labels(source.labels, source.class_names, config), expected, strict=True):
        assert np.array_equal(found, wanted)


def test_a_class_with_one_image_is_refused_by_name():
    with pytest.raises(DataError, match="Class 'bee' has 1"):
        split(np.array([0, 0, 1, 2, 2]))
