import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

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
def digits_store(tmp_path_factory):
    """320 training and 80 validation digits of 8 x 8 pixels."""
    config = DataConfig(train_images=320, validation_images=80)
    return ImageStore.prepare(config, tmp_path_factory.mktemp("digits"), max_pixels=16)
