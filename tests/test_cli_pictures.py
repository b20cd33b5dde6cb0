"""What the command line makes of folders of pictures."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastcnn.cli import data as sources
from fastcnn.cli.pictures import has_light_background
from fastcnn.data import PictureError


def save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def test_background() -> None:
    dark = np.zeros((28, 28, 1), np.uint8)
    dark[5:20, 5:20] = 255
    assert not has_light_background(dark)
    assert has_light_background(255 - dark)


# ---------------------------------------------------------------- folders


def folder(root: Path, counts: dict[str, int], size: int = 20) -> Path:
    for label, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True)
        for i in range(count):
            save(root / name / f"{i:03}.png", np.full((size, size), label * 100 + i, np.uint8))
    return root


def test_folder_of_classes(tmp_path: Path) -> None:
    root = folder(tmp_path / "things", {"zebra": 3, "ant": 2})
    (root / "ant" / "broken.png").write_bytes(b"broken")
    (root / "ant" / ".hidden.png").write_bytes(b"")
    (root / "notes.txt").write_text("not a class")
    found = sources.load(str(root))
    assert found.class_names == ["ant", "zebra"]
    x, y = found.train
    assert x.shape == (5, 20, 20, 1)
    assert y.tolist() == [0, 0, 1, 1, 1]
    assert x[:, 0, 0, 0].tolist() == [100, 101, 0, 1, 2]
    assert found.test is None
    assert len(found.notes) == 1
    assert "broken.png" in found.notes[0]


def test_folder_with_train_and_test(tmp_path: Path) -> None:
    folder(tmp_path / "train", {"a": 2, "b": 2})
    folder(tmp_path / "test", {"b": 1})
    found = sources.load(str(tmp_path), (24, 18), 3)
    assert found.train[0].shape == (4, 24, 18, 3)
    assert found.test is not None
    assert found.test[0].shape == (1, 24, 18, 3)
    assert found.test[1].tolist() == [1]  # of the training classes, though the only one there
    archive = shutil.make_archive(str(tmp_path / "all"), "zip", tmp_path)
    for place in (archive, f"{archive}/train"):
        zipped = sources.load(place, (24, 18), 3)
        np.testing.assert_array_equal(zipped.train[0], found.train[0])
        assert (zipped.test is None) == place.endswith("train")


@pytest.mark.parametrize(
    ("train", "test", "match"),
    [
        ({"only": 2}, None, "at least two folders"),
        ({"a": 1, "b": 1}, {"c": 1}, "classes that the training pictures haven't: c"),
        ({"a": 0, "b": 0}, None, "at least two folders"),
    ],
)
def test_folders_that_do_not_do(tmp_path: Path, train: dict[str, int], test: dict[str, int] | None, match: str) -> None:
    folder(tmp_path / "train", train)
    if test is not None:
        folder(tmp_path / "test", test)
    with pytest.raises(ValueError, match=match):
        sources.load(str(tmp_path if test is not None else tmp_path / "train"))


def test_folder_without_a_readable_picture(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(b"nothing")
    with pytest.raises(PictureError, match="none of the files"):
        sources.load(str(tmp_path))


def test_unknown_data(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Did you mean 'fashion_mnist'"):
        sources.load("fashion-mnist")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file"):
        sources.load(str(tmp_path / "file"))


def test_split_keeps_the_proportions(tmp_path: Path) -> None:
    found = sources.load(str(folder(tmp_path, {"a": 20, "b": 10})))
    (x, y), (x_held, y_held) = sources.split(found, 0.2, seed=3)
    assert np.bincount(y).tolist() == [16, 8]
    assert np.bincount(y_held).tolist() == [4, 2]
    together = np.concatenate([x, x_held]).reshape(30, -1)
    assert len(np.unique(together, axis=0)) == 30
    again = sources.split(found, 0.2, seed=3)
    np.testing.assert_array_equal(again[1][0], x_held)
    with pytest.raises(ValueError, match="leaves nothing"):
        sources.split(found, 0.001, seed=3)
