import pytest
import torch

from gpscale.training.data.config import DataConfig
from gpscale.training.data.store import ImageStore


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def digits_directory(tmp_path_factory):
    """A store of 320 training and 80 validation digits of 8 x 8 pixels."""
    directory = tmp_path_factory.mktemp("digits")
    ImageStore.prepare(DataConfig(train_images=320, validation_images=80), directory, max_pixels=16)
    return directory


@pytest.fixture(scope="session")
def digits_store(digits_directory):
    return ImageStore.open(digits_directory)
