"""``fastcnn detect`` from end to end, on small pictures drawn here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detection_sets import CLASSES, Drawn, drawn, write
from PIL import Image

import fastcnn
from fastcnn import callbacks, layers, models
from fastcnn.cli import main
from fastcnn.metrics import CocoMetrics

PARTS = {"train": 64, "val": 16, "test": 16}
FORMS = ("voc", "coco", "yolo", "csv")
WORDS = ["--image-size", "96", "--epochs", "16", "--batch-size", "8", "--seed", "1", "--no-augmentation"]


@pytest.fixture(scope="module")
def sets() -> dict[str, list[Drawn]]:
    return {part: drawn(count, seed) for seed, (part, count) in enumerate(PARTS.items())}


@pytest.fixture(scope="module")
def listed(sets: dict[str, list[Drawn]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same pictures in all forms."""
    root = tmp_path_factory.mktemp("sets")
    return {form: write(root / form, form, sets) for form in FORMS}


@pytest.fixture(scope="module")
def trained(listed: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a training left behind."""
    output = tmp_path_factory.mktemp("trained")
    assert main(["detect", "train", str(listed["voc"]), *WORDS, "--output", str(output)]) == 0
    return output


def overlap(a: Any, b: Any) -> float:
    """Intersection over union of two boxes."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def test_train_leaves_a_detector_and_what_is_known_of_it(trained: Path) -> None:
    pytest.importorskip("matplotlib")
    files = {p.name for p in trained.iterdir()}
    pictures = {"learning-curves.png", "precision-recall.png", "mistakes.png"}
    assert files == {"model.safetensors", "history.json", "numbers.json", "truth.json", "results.json", *pictures}
    history = json.loads((trained / "history.json").read_text())
    assert {"loss", "val_loss", "val_AP", "val_AP50"} <= set(history) and len(history["loss"]) == 16
    assert history["loss"][-1] < history["loss"][0]
    numbers = json.loads((trained / "numbers.json").read_text())
    assert list(numbers["classes"]) == CLASSES and numbers["AP_large"] is None
    assert numbers["AP50"] > 0.6  # coloured squares are no riddle


def test_all_forms_are_read_alike(trained: Path, listed: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    found = {}
    for form in FORMS:
        assert main(["detect", "evaluate", str(trained / "model.safetensors"), str(listed[form]), "--json"]) == 0
        found[form] = json.loads(capsys.readouterr().out)
    assert found["voc"] == json.loads((trained / "numbers.json").read_text())
    for form in FORMS[1:]:
        assert {k: pytest.approx(v, abs=1e-6) for k, v in found["voc"].items() if k != "classes"} == {
            k: v for k, v in found[form].items() if k != "classes"
        }


def test_evaluate_prints_cocos_numbers_and_the_classes(
    trained: Path, listed: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(trained / "model.safetensors")
    words = ["--set", "val", "--output", str(tmp_path)]
    assert main(["detect", "evaluate", model, str(listed["coco"]), *words]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"val pictures of {listed['coco']}: 16\n")
    for name in ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large", "AR1", "AR10", "AR100", "AR_large"):
        assert re.search(rf"^{name} +(-|[01]\.\d+)$", out, re.MULTILINE), name
    assert all(re.search(rf"^ *{name} +[01]\.\d+", out, re.MULTILINE) for name in (*CLASSES, "all"))
    judged = CocoMetrics.from_files(tmp_path / "truth.json", tmp_path / "results.json").result()
    assert judged["AP"] == pytest.approx(json.loads((tmp_path / "numbers.json").read_text())["AP"])


def test_predict_draws_and_writes_what_it_found(
    trained: Path, listed: dict[str, Path], sets: dict[str, list[Drawn]], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    pixels, labels, boxes = sets["test"][3]
    large = np.asarray(Image.fromarray(pixels).resize((288, 288), Image.Resampling.BILINEAR))
    Image.fromarray(large).save(tmp_path / "000042.jpg", quality=95)
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    words = [str(listed["csv"] / "test"), str(tmp_path / "0*.jpg"), str(tmp_path / "broken.png")]
    output = tmp_path / "found"
    model = str(trained / "model.safetensors")
    assert main(["detect", "predict", model, *words, "--output", str(output), "--score-threshold", "0.05"]) == 1
    printed = capsys.readouterr()
    assert "broken.png: not a picture" in printed.err
    assert len(re.findall(r"\.(?:png|jpg): (?:\d+ |nothing)", printed.out)) == 17
    assert {p.name for p in output.iterdir()} == {
        "detections.json", "000042.jpg", *(f"test{i}.png" for i in range(16))
    }  # fmt: skip
    results = json.loads((output / "detections.json").read_text())
    assert set(results[0]) == {"image_id", "category_id", "bbox", "score"}
    assert {"test0.png", 42} <= {result["image_id"] for result in results}
    ours = [r for r in results if r["image_id"] == 42]
    for label, box in zip(labels, boxes):  # in the pixels of the large picture
        corners = [[x, y, x + w, y + h] for x, y, w, h in (r["bbox"] for r in ours if r["category_id"] == label + 1)]
        assert max(overlap(corner, [3 * v for v in box]) for corner in corners) > 0.5
    with Image.open(output / "test3.png") as picture:
        assert picture.size == (96, 96)
        assert (np.asarray(picture) != pixels).any()


def test_pictures_of_one_name_have_ids_of_their_own(
    trained: Path, sets: dict[str, list[Drawn]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / folder / "1.png" for folder in ("x", "y")]
    for path in paths:
        path.parent.mkdir()
        Image.fromarray(sets["test"][3][0]).save(path)
    words = [str(path) for path in (*paths, paths[0])]
    output = tmp_path / "found"
    model = str(trained / "model.safetensors")
    assert main(["detect", "predict", model, *words, "--output", str(output), "--score-threshold", "0.05"]) == 0
    assert f"another picture has the image_id 1; {paths[1]} gets" in capsys.readouterr().err
    results = json.loads((output / "detections.json").read_text())
    first, second = ([r for r in results if r["image_id"] == name] for name in (1, words[1]))
    assert first and [r["bbox"] for r in first] == [r["bbox"] for r in second] and len(results) == 2 * len(first)


def test_predict_replaces_no_picture(
    trained: Path, listed: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    looked_at = listed["csv"] / "test"
    before = {path: path.read_bytes() for path in looked_at.iterdir()}
    words = ["detect", "predict", str(trained / "model.safetensors"), str(looked_at), "--output", str(looked_at)]
    assert main(words) == 1
    assert "holds pictures to look at" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in looked_at.iterdir()} == before


def interrupted(self: callbacks.History, epoch: int, logs: Any = None) -> None:
    """As if Ctrl-C were pressed in the third epoch."""
    if epoch == 2:
        raise KeyboardInterrupt


def test_an_interrupted_training_goes_on(
    listed: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["detect", "train", str(listed["voc"]), "--image-size", "64", "--epochs", "4", "--seed", "2"]
    assert main([*words, "--output", str(tmp_path / "whole")]) == 0
    monkeypatch.setattr(callbacks.History, "on_epoch_begin", interrupted)
    assert main([*words, "--output", str(tmp_path / "parts")]) == 130
    monkeypatch.undo()
    assert "--resume goes on after the last whole epoch" in capsys.readouterr().err
    assert main([*words, "--output", str(tmp_path / "parts"), "--resume"]) == 0
    assert "Epoch 1/4" not in capsys.readouterr().out
    one, two = (models.load_model(tmp_path / p / "model.safetensors").get_weights() for p in ("whole", "parts"))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_one_listing_without_parts_is_split(
    sets: dict[str, list[Drawn]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = write(tmp_path / "set", "coco", {"all": sets["val"]})
    words = ["--image-size", "64", "--epochs", "3", "--validation-every", "2", "--validation-split", "0.25",
             "--output", str(tmp_path / "out")]  # fmt: skip
    assert main(["detect", "train", str(place / "annotations" / "instances_all.json"), "--images", str(place / "all"),
                 *words]) == 0  # fmt: skip
    out = capsys.readouterr().out
    assert "(COCO), 2 classes: blue, red\ntraining on 12 pictures, validating on 4\n" in out
    history = json.loads((tmp_path / "out" / "history.json").read_text())
    assert len(history["loss"]) == 3 and len(history["val_AP50"]) == 2, "the second epoch, and the last"


@pytest.mark.parametrize("decoder", ["centerface", "yolox"])
def test_other_networks_are_refused(decoder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx")
    classifier = models.Sequential([layers.Input((32, 32, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)])
    path = str(tmp_path / "classifier.onnx")
    fastcnn.onnx.save(classifier, path)
    assert main(["detect", "predict", path, "x.png", "--decoder", decoder, "--output", str(tmp_path / "out")]) == 1
    assert f"{path} is no network for --decoder {decoder}: " in capsys.readouterr().err


def test_what_is_wrong_is_said(
    trained: Path, listed: dict[str, Path], sets: dict[str, list[Drawn]], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    model = str(trained / "model.safetensors")
    classifier = models.Sequential([layers.Input((4, 4, 3)), layers.Flatten(), layers.Dense(2)])
    classifier.save(tmp_path / "classifier.safetensors")
    (tmp_path / "empty").mkdir()
    both = write(write(tmp_path / "both", "voc", sets), "yolo", sets)
    broken = write(tmp_path / "broken", "voc", {"train": sets["val"]})
    for file in sorted((broken / "Annotations").iterdir())[:2]:
        file.write_text(re.sub(r"<xmax>\d+", "<xmax>0", file.read_text()))
    judged = write(tmp_path / "judged", "coco", {"val": sets["val"], "test": sets["val"]})
    assert main(["detect", "evaluate", model, str(judged), "--set", "val"]) == 0
    capsys.readouterr()
    out = ["--output", str(tmp_path / "out")]
    for words, message in (
        (["evaluate", str(tmp_path / "classifier.safetensors"), str(listed["voc"])], "is a Sequential, no detector"),
        (["evaluate", model, str(tmp_path / "empty")], "empty has no pictures with boxes: expected Annotations"),
        (["evaluate", model, str(tmp_path / "nowhere")], "there is no"),
        (["evaluate", model, str(both)], "lists boxes in several forms, voc, yolo: choose with --format"),
        (["evaluate", model, str(listed["voc"]), "--format", "csv"], "no listing of boxes in the form csv"),
        (["evaluate", model, str(listed["voc"]), "--set", "all"], "has no part all, it has train, val, test"),
        (["train", str(broken), "--strict", *out], "has no area"),
        (["train", str(judged), *out], "has no part to train on, only test and val"),
        (
            ["predict", "network.onnx", "x.png", *out],
            "is an ONNX file: `fastcnn detect predict` reads it, with",
        ),
        (["train", str(listed["voc"]), "--image-size", "100", *out], "must be multiples of 32"),
        (["predict", model, str(tmp_path / "empty"), *out], "there are no pictures in"),
        (["predict", model, str(tmp_path / "*.gif"), *out], "no file matches"),
        (["predict", model, "", *out], "the name of a picture must not be empty"),
    ):
        assert main(["detect", *words]) == 1, words
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit) as wrong:
        main(["detect", "predict", model, "x.png", "--score-threshold", "2"])
    assert wrong.value.code == 2 and "must be from 0 to 1, received 2" in capsys.readouterr().err
