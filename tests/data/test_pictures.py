"""Picture files: every kind of pixel, damage, folders and archives of them as datasets."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fastcnn.data import PictureError, image_dataset_from_directory, open_picture, read_picture
from fastcnn.data.decoding import Decoder
from fastcnn.data.placing import Placement

RNG = np.random.default_rng(0)


def save(path: Path, pixels: np.ndarray, mode: str | None = None, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def smooth(rows: int, columns: int) -> np.ndarray:
    """A picture that JPEG changes little."""
    y, x = np.mgrid[:rows, :columns] / [[[rows]], [[columns]]]
    return (255 * np.stack([x, y, 1 - x * y], axis=-1)).astype(np.uint8)


# ---------------------------------------------------------------- one picture


def test_same_size_comes_through_unchanged(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (28, 30, 3), dtype=np.uint8)
    path = save(tmp_path / "a.png", pixels)
    for size in (None, (28, 30)):
        np.testing.assert_array_equal(read_picture(path, size), pixels)
    grey = save(tmp_path / "g.png", pixels[..., 0])
    np.testing.assert_array_equal(read_picture(grey, channels=1)[..., 0], pixels[..., 0])
    assert read_picture(grey).shape == (28, 30, 3)
    assert read_picture(grey, channels=4)[..., 3].min() == 255


def test_every_kind_of_pixel(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 64).astype(np.uint8).reshape(8, 8)
    for name, mode in (("1.png", "1"), ("p.png", "P"), ("la.png", "LA"), ("rgba.png", "RGBA"), ("cmyk.jpg", "CMYK")):
        path = save(tmp_path / name, ramp, mode)
        assert open_picture(path).mode in ("L", "RGB"), name
        for channels in (1, 3, 4):
            read = read_picture(path, channels=channels)
            assert read.shape == (8, 8, channels)
            if mode != "1":
                assert np.abs(read[..., 0].astype(int) - ramp).max() < 8, (name, channels)
    Image.fromarray(ramp.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    for channels in (1, 3):
        np.testing.assert_array_equal(read_picture(tmp_path / "deep.png", channels=channels)[..., 0], ramp)
    save(tmp_path / "float.tiff", np.ones((4, 4), np.float32))
    with pytest.raises(PictureError, match=r"float\.tiff: pixels are floating-point"):
        open_picture(tmp_path / "float.tiff")


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2, :, 3] = 255
    rgba = save(tmp_path / "rgba.png", pixels)
    palette = Image.new("P", (4, 4))
    palette.putpalette([0, 0, 0, 0, 0, 0])
    palette.paste(1, (0, 2, 4, 4))
    palette.save(tmp_path / "palette.png", transparency=1)
    for path in (rgba, tmp_path / "palette.png"):
        for channels in (1, 3):
            read = read_picture(path, channels=channels)
            assert (read[:2] == 0).all()
            assert (read[2:] == 255).all()
        np.testing.assert_array_equal(read_picture(path, channels=4)[..., 3], pixels[..., 3])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    """The eight orientations, and with them the size that a large file is decoded at."""
    upright = smooth(320, 160)
    stored = {1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
              5: upright.swapaxes(0, 1), 6: upright.swapaxes(0, 1)[::-1],
              7: upright[::-1, ::-1].swapaxes(0, 1), 8: upright.swapaxes(0, 1)[:, ::-1]}[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("a.jpg", "a.png"):
        path = save(
            tmp_path / name, np.ascontiguousarray(stored), exif=exif, **({"quality": 95} if "j" in name else {})
        )
        assert np.abs(read_picture(path).astype(int) - upright).max() < 16
        small = read_picture(path, (40, 20))
        expected = np.asarray(Image.fromarray(upright).resize((20, 40), Image.Resampling.BILINEAR))
        assert np.abs(small.astype(int) - expected).max() < 16


def test_large_jpeg_files_are_decoded_at_a_fraction(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", smooth(800, 1000), quality=95)
    assert open_picture(path, at_least=(100, 100)).size == (250, 200)
    assert open_picture(path, at_least=(300, 300)).size == (1000, 800)
    out = np.empty((80, 100, 3), np.uint8)
    decoder = Decoder(80, 100)
    placement = decoder.decode(path, "a", out)
    assert placement[:4] == pytest.approx(Placement(0.1, 0.1, 0, 0)[:4])
    assert placement.size == (800, 1000)
    whole = np.asarray(Image.open(path).resize((100, 80), Image.Resampling.BILINEAR))
    assert np.abs(out.astype(int) - whole).max() <= 3


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_placements_are_those_of_the_pixels(tmp_path: Path, fit: str, name: str) -> None:
    """A white square on black lies where its box says, in the picture and in the result."""
    pixels = np.zeros((600, 400, 3), np.uint8)
    box = np.array([100, 220, 260, 380])
    pixels[220:380, 100:260] = 255
    out = np.empty((50, 100, 3), np.uint8)
    placement = Decoder(50, 100, fit=fit).decode(save(tmp_path / name, pixels), name, out)
    left, top, right, bottom = placement.boxes(box)[0]
    np.testing.assert_allclose(placement.inverse(placement.boxes(box))[0], box, atol=1e-3)
    mask = out[..., 0] > 127
    found = [
        mask.any(0).argmax(),
        mask.any(1).argmax(),
        100 - mask.any(0)[::-1].argmax(),
        50 - mask.any(1)[::-1].argmax(),
    ]
    np.testing.assert_allclose(found, np.clip([left, top, right, bottom], 0, [100, 50, 100, 50]), atol=1)


def truncated(kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(RNG.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(buffer, kind)
    return buffer.getvalue()[:2000]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (None, "no such file"),
        (b"", "not a picture"),
        (b"not a picture at all", "not a picture"),
        (truncated("PNG"), "can't be read"),
        (truncated("JPEG"), "can't be read"),
        ("folder", "can't be read"),
    ],
)
def test_what_is_no_picture(tmp_path: Path, content: bytes | str | None, match: str) -> None:
    path = tmp_path / "a.png"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
        with pytest.raises(PictureError, match=f"the picture: .*{match}"):
            open_picture(content, "the picture")
    with pytest.raises(PictureError, match=match) as caught:
        open_picture(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("limit", [99, 60])
def test_decompression_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    path = save(tmp_path / "a.png", np.zeros((10, 11), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 110)
    assert open_picture(path).size == (11, 10)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(PictureError, match=rf"a\.png: refused: it has more than {limit} pixels"):
        open_picture(path)


# ---------------------------------------------------------------- folders and archives


def colour(label: int, i: int) -> tuple[int, int, int]:
    return (40 * label, 20 * i, 7)


def fill(root: Path, counts: dict[str, int], size: int = 12) -> Path:
    for label, (name, count) in enumerate(counts.items()):
        for i in range(count):
            save(root / name / f"{i:02}.png", np.full((size, size + label, 3), colour(label, i), np.uint8))
    return root


def archive(root: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in sorted(root.rglob("*")):
            file.write(name, name.relative_to(root))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = fill(tmp_path / "things", {"ant": 3, "bee": 8, "cat": 5})
    (root / "notes.txt").write_text("no class")
    (root / "cat" / ".hidden.png").write_bytes(b"")
    (root / "ant" / "list.csv").write_text("no picture")
    return root


def seen(dataset: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    for x, y in dataset:
        assert x.dtype == np.uint8
        for pixels, label in zip(x, y):
            assert (pixels == pixels[0, 0]).all()
            yield tuple(pixels[0, 0].tolist()), label.tolist()


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("kind", ["folder", "zip", "in zip"])
def test_classes_in_folders(folder: Path, tmp_path: Path, kind: str, workers: int) -> None:
    place: Path = folder
    if kind == "zip":
        place = archive(folder, tmp_path / "things.zip")
    elif kind == "in zip":
        place = archive(tmp_path, tmp_path / "all.zip") / "things"
    options: dict[str, Any] = {"image_size": (6, 7), "batch_size": 4, "workers": workers}
    dataset = image_dataset_from_directory(place, shuffle=False, **options)
    assert dataset.class_names == ["ant", "bee", "cat"]
    assert len(dataset) == 4
    labels = [0] * 3 + [1] * 8 + [2] * 5
    places = [i for count in (3, 8, 5) for i in range(count)]
    expected = [(colour(label, i), label) for label, i in zip(labels, places)]
    for _ in range(2):
        assert list(seen(dataset)) == expected
    assert dataset.peek()[0].shape == (4, 6, 7, 3)
    assert dataset.file_paths == [str(place / "abc"[k] / f"{i:02}.png").replace("/a/", "/ant/").replace("/b/", "/bee/")
                                  .replace("/c/", "/cat/") for k, i in zip(labels, places)]  # fmt: skip
    shuffled = image_dataset_from_directory(place, seed=1, **options)
    first, second = list(seen(shuffled)), list(seen(shuffled))
    assert sorted(first) == sorted(second) == expected
    assert first != second
    assert list(seen(image_dataset_from_directory(place, seed=1, **options))) == first


def test_forms_of_labels(folder: Path) -> None:
    def labels(**options: Any) -> Any:
        return image_dataset_from_directory(folder, image_size=4, shuffle=False, batch_size=16, **options).peek()[1]

    one_hot = labels(label_mode="categorical")
    assert one_hot.dtype == np.float32
    assert one_hot.argmax(-1).tolist() == [0] * 3 + [1] * 8 + [2] * 5
    assert labels(label_mode="binary", class_names=["cat", "ant"]).tolist() == [[1.0]] * 3 + [[0.0]] * 5
    assert labels(labels=list(range(16))).tolist() == list(range(16))
    for nothing in ({"labels": None}, {"label_mode": None}):
        plain = image_dataset_from_directory(folder, image_size=4, batch_size=16, color_mode="grayscale", **nothing)
        assert plain.peek().shape == (16, 4, 4, 1)
        assert plain.class_names is None
    single = image_dataset_from_directory(folder, image_size=4, batch_size=None, color_mode="rgba", shuffle=False)
    x, y = single.peek()
    assert (x.shape, int(y), len(single)) == ((4, 4, 4), 0, 16)


def test_splits(folder: Path) -> None:
    def split(**options: Any) -> Any:
        return image_dataset_from_directory(folder, image_size=4, seed=5, validation_split=0.4, **options)

    train, held = split(subset="both")
    parts = [sorted(seen(part)) for part in (train, held)]
    assert [sorted(seen(split(subset=name))) for name in ("training", "validation")] == parts
    assert np.bincount([label for _, label in parts[1]]).tolist() == [1, 3, 2]
    assert not set(parts[0]) & set(parts[1])
    assert len(parts[0]) == 10
    loose = split(subset="validation", stratified=False)
    assert len(list(seen(loose))) == 6
    other = image_dataset_from_directory(folder, image_size=4, seed=6, validation_split=0.4, subset="validation")
    assert sorted(seen(other)) != parts[1]


def test_what_cannot_be_read_is_named_and_raised_or_left_out(folder: Path) -> None:
    for name in ("bee/00.png", "bee/01.png", "cat/02.png"):
        (folder / name).write_bytes(b"spoilt")
    options: dict[str, Any] = {"image_size": 4, "batch_size": 2, "shuffle": False}
    with pytest.raises(PictureError, match=r"bee.00\.png: not a picture"):
        list(image_dataset_from_directory(folder, **options))
    for workers in (1, 2):
        dataset = image_dataset_from_directory(folder, on_error="skip", workers=workers, **options)
        with pytest.warns(UserWarning, match=r"(?s)3 files can't be read.*bee.00\.png: not a picture.*cat.02\.png"):
            first = list(seen(dataset))
        assert [label for _, label in first] == [0] * 3 + [1] * 6 + [2] * 4
        assert len(dataset.problems) == 3
        assert list(seen(dataset)) == first  # and no second warning
        assert (
            len(list(image_dataset_from_directory(folder, on_error="skip", label_mode=None, image_size=4).take(0))) == 0
        )


def test_cached_pictures_are_decoded_once_and_shuffled(folder: Path) -> None:
    dataset = image_dataset_from_directory(folder, image_size=4, batch_size=3, seed=2).cache()
    first = list(seen(dataset))
    for path in folder.rglob("*.png"):
        path.write_bytes(b"gone")
    second = list(seen(dataset))
    assert sorted(first) == sorted(second)
    assert first != second


@pytest.mark.filterwarnings("ignore:left out, as")
@pytest.mark.parametrize("batch_size", [2, None])
@pytest.mark.parametrize("done", [1, 5])
def test_positions_count_what_was_left_out(folder: Path, batch_size: int | None, done: int) -> None:
    for i in range(4):
        (folder / "bee" / f"{i:02}.png").write_bytes(b"spoilt")
    dataset, again = (
        image_dataset_from_directory(folder, image_size=4, batch_size=batch_size, seed=2, on_error="skip")
        for _ in range(2)
    )
    rest: list[Any] = []
    for number, (_, y) in enumerate(dataset, 1):
        rest.append(y.tolist())
        if number == done:
            state, rest = dataset.state_dict(), []
    again.load_state_dict(state)
    assert [y.tolist() for _, y in again] == rest
    assert rest


def test_hostile_archives(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastcnn.data import files

    path = archive(folder, tmp_path / "a.zip")
    monkeypatch.setattr(files, "_LARGEST_MEMBER", 10)
    with pytest.raises(PictureError, match=r"a\.zip/ant/00\.png: unpacked it has \d+ bytes, more than 10"):
        list(image_dataset_from_directory(path, shuffle=False))
    content = bytearray(path.read_bytes())
    at = content.index(b"IHDR")
    content[at + 4] ^= 1  # the checksum of a member is wrong now
    path.write_bytes(content)
    monkeypatch.undo()
    with pytest.raises(PictureError, match=r"a\.zip/.*Bad CRC"):
        list(image_dataset_from_directory(path, shuffle=False))
    path.write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(ValueError, match=r"a\.zip can't be read as a zip archive"):
        image_dataset_from_directory(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_damaged_members_are_left_out(tmp_path: Path, method: int) -> None:
    if method == zipfile.ZIP_LZMA:
        pytest.importorskip("lzma")
    if method == zipfile.ZIP_BZIP2:
        pytest.importorskip("bz2")
    good = io.BytesIO()
    Image.new("RGB", (40, 40), (200, 0, 0)).save(good, "PPM")
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as made:
        for name in ("a/0.ppm", "a/1.ppm", "b/0.ppm"):
            made.writestr(name, good.getvalue())
        first = made.getinfo("a/0.ppm")
    content = bytearray(path.read_bytes())
    start = 30 + len("a/0.ppm")  # behind the header of the first member
    kept = 9 if method == zipfile.ZIP_LZMA else 2  # the header within
    content[start + kept : start + first.compress_size] = b"\xff" * (first.compress_size - kept)
    path.write_bytes(content)
    dataset = image_dataset_from_directory(path, image_size=40, shuffle=False, on_error="skip")
    with pytest.warns(UserWarning, match=r"a\.zip/a/0\.ppm"):
        assert [len(y) for _, y in dataset] == [2]


def test_bad_arguments(folder: Path, tmp_path: Path) -> None:
    for options, message in (
        ({"image_size": 0}, "image_size must be at least 1"),
        ({"image_size": (1, 2, 3)}, "image_size must be an int or a pair"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"color_mode": "RGB"}, "Unknown color_mode 'RGB'. Did you mean 'rgb'"),
        ({"label_mode": "ints"}, "Unknown label_mode 'ints'. Did you mean 'int'"),
        ({"interpolation": "cubic"}, "Unknown interpolation 'cubic'. Did you mean 'bicubic'"),
        ({"on_error": "ignore"}, "Unknown on_error 'ignore'"),
        ({"labels": "folders"}, 'labels must be "inferred", None or a list'),
        ({"labels": [1, 2]}, "labels must be 16 class numbers"),
        ({"labels": [-1] * 16}, "from 0 to"),
        ({"class_names": ["ant", "dog"]}, "has no folder 'dog' with pictures; it has ant, bee, cat"),
        ({"class_names": ["ant", "ant"]}, "class_names must differ"),
        ({"label_mode": "binary"}, "needs two classes, received 3"),
        ({"seed": -1, "validation_split": 0.2, "subset": "both"}, "seed must be at least 0, received -1"),
        ({"validation_split": 0.2}, "go together"),
        ({"subset": "training"}, "go together"),
        ({"validation_split": 1.0, "subset": "both"}, "validation_split must be"),
        ({"validation_split": 0.01, "subset": "both"}, "leaves one part empty"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "can't both be True"),
    ):
        with pytest.raises(ValueError, match=message):
            image_dataset_from_directory(folder, **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least two folders of pictures, one for each class; found none"):
        image_dataset_from_directory(folder / "ant")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="there are no pictures in"):
        image_dataset_from_directory(tmp_path / "empty", labels=None)
    with pytest.raises(FileNotFoundError, match="directory must be a folder or a zip archive, there is no"):
        image_dataset_from_directory(tmp_path / "nowhere")
    with pytest.raises(TypeError, match="directory must be a path"):
        image_dataset_from_directory(3)  # type: ignore[arg-type]
