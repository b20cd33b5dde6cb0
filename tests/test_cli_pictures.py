"""Reading pictures for the command line: any size, colours and damage."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastcnn.cli import data as sources
from fastcnn.cli.pictures import PictureError, as_array, has_light_background, open_picture


def save(path: Path, pixels: np.ndarray, mode: str | None = None, **options: object) -> Path:
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)  # type: ignore[arg-type]
    return path


def test_same_size_comes_through_unchanged(tmp_path: Path) -> None:
    pixels = np.arange(28 * 30 * 3, dtype=np.uint8).reshape(28, 30, 3)
    read = as_array(open_picture(save(tmp_path / "a.png", pixels)), (28, 30), 3)
    np.testing.assert_array_equal(read, pixels)
    grey = as_array(open_picture(save(tmp_path / "g.png", pixels[..., 0])), (28, 30), 1)
    np.testing.assert_array_equal(grey[..., 0], pixels[..., 0])


def test_size_colour_and_inversion(tmp_path: Path) -> None:
    pixels = np.zeros((40, 20), np.uint8)
    pixels[:20] = 200  # the upper half
    image = open_picture(save(tmp_path / "a.png", pixels))
    small = as_array(image, (10, 8), 3)
    assert small.shape == (10, 8, 3)
    assert small.dtype == np.uint8
    assert (small[:4] == 200).all()
    assert (small[6:] == 0).all()
    np.testing.assert_array_equal(as_array(image, (10, 8), 3, invert=True), 255 - small)


def test_every_kind_of_pixel(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 64).astype(np.uint8).reshape(8, 8)
    for name, mode in (("1.png", "1"), ("p.png", "P"), ("la.png", "LA"), ("rgba.png", "RGBA"), ("cmyk.jpg", "CMYK")):
        image = open_picture(save(tmp_path / name, ramp, mode))
        assert image.mode in ("L", "RGB"), name
    deep = Image.fromarray(ramp.astype(np.uint16) * 257)
    deep.save(tmp_path / "deep.png")
    np.testing.assert_array_equal(as_array(open_picture(tmp_path / "deep.png"), (8, 8), 1)[..., 0], ramp)


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2, :, 3] = 255
    read = as_array(open_picture(save(tmp_path / "a.png", pixels)), (4, 4), 1)
    assert (read[:2] == 0).all()
    assert (read[2:] == 255).all()


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn it clockwise"
    pixels = np.zeros((10, 20), np.uint8)
    save(tmp_path / "a.png", pixels, exif=exif)
    assert open_picture(tmp_path / "a.png").size == (10, 20)


def truncated() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()[:5000]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (None, "no such file"),
        (b"", "not a picture"),
        (b"not a picture at all", "not a picture"),
        (truncated(), "can't be read"),
        ("folder", "can't be read"),
    ],
)
def test_what_is_no_picture(tmp_path: Path, content: bytes | str | None, match: str) -> None:
    path = tmp_path / "a.png"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(PictureError, match=match) as caught:
        open_picture(path)
    assert str(path) in str(caught.value)


def test_floating_point_pictures_are_turned_away(tmp_path: Path) -> None:
    save(tmp_path / "a.tiff", np.ones((4, 4), np.float32))
    with pytest.raises(PictureError, match="floating-point"):
        open_picture(tmp_path / "a.tiff")


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


@pytest.mark.parametrize(
    ("train", "test", "match"),
    [
        ({"only": 2}, None, "at least two folders"),
        ({"a": 1, "b": 1}, {"c": 1}, "classes that .* hasn't: c"),
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
