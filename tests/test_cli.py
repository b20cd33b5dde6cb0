"""The command line from end to end, on small pictures made here."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fastcnn
from fastcnn import layers, models
from fastcnn.cli import main

SIZE = 20


def pictures(root: Path, count: int = 30) -> Path:
    """Two classes that are easy to tell apart: a bar that lies and one that stands."""
    generator = np.random.default_rng(0)
    for name in ("lying", "standing"):
        (root / name).mkdir(parents=True)
        for i in range(count):
            pixels = generator.integers(0, 40, (SIZE, SIZE)).astype(np.uint8)
            at = generator.integers(6, 13)
            pixels[at : at + 3, 2:18] = 220
            Image.fromarray(pixels if name == "lying" else pixels.T).save(root / name / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pictures(tmp_path_factory.mktemp("data") / "bars")


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `train` left behind."""
    output = tmp_path_factory.mktemp("trained") / "a folder" / "out"
    words = ["train", str(data), "--epochs", "8", "--batch-size", "8", "--seed", "1", "--output", str(output)]
    assert main(words) == 0
    return output


def shell(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m fastcnn` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "fastcnn", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **environment},
    )


# ---------------------------------------------------------------- train


def test_train_leaves_model_history_and_picture(trained: Path) -> None:
    pytest.importorskip("matplotlib")
    assert sorted(p.name for p in trained.iterdir()) == ["history.json", "learning-curves.png", "model.safetensors"]
    history = json.loads((trained / "history.json").read_text())
    assert set(history) == {"accuracy", "loss", "val_accuracy", "val_loss"}
    assert all(len(values) == 8 for values in history.values())
    assert history["val_accuracy"][-1] == 1.0  # a bar that lies or stands is no riddle
    with Image.open(trained / "learning-curves.png") as image:
        assert image.format == "PNG"
    metadata = models.load_model(trained / "model.safetensors").metadata
    assert metadata["class_names"] == ["lying", "standing"]
    assert metadata["dark_background"] is True


def test_train_says_what_it_does(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(data), "--epochs", "1", "--images", "16", "--output", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    for words in (str(data), "training on 16 pictures, validating on 12", "precision", "standing", str(tmp_path)):
        assert words in out


def test_the_same_seed_gives_the_same_weights(data: Path, trained: Path, tmp_path: Path) -> None:
    words = ["train", str(data), "--epochs", "8", "--batch-size", "8", "--seed", "1", "--threads", "1"]
    before = fastcnn.get_num_threads()
    try:
        assert main([*words, "--output", str(tmp_path)]) == 0
    finally:
        fastcnn.set_num_threads(before)
    one, two = (models.load_model(p / "model.safetensors").get_weights() for p in (trained, tmp_path))
    for a, b in zip(one, two):
        np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_training_goes_on(
    data: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", str(data), "--epochs", "8", "--batch-size", "8", "--seed", "1", "--threads", "1"]
    words += ["--output", str(tmp_path)]
    process = subprocess.Popen([sys.executable, "-u", "-m", "fastcnn", *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Epoch 3/8"):
            break
    process.kill()
    process.communicate()
    assert not (tmp_path / "model.safetensors").exists()
    before = fastcnn.get_num_threads()
    try:
        assert main([*words, "--resume"]) == 0
    finally:
        fastcnn.set_num_threads(before)
    out = capsys.readouterr().out
    assert f"going on from {tmp_path / 'backup' / 'training.safetensors'}" in out
    assert "Epoch 2/8" not in out
    first = re.search(r"Epoch (\d)/8", out)
    assert first is not None
    assert f"trained {9 - int(first[1])} epochs in" in out
    assert json.loads((tmp_path / "history.json").read_text()) == json.loads((trained / "history.json").read_text())
    one, two = (models.load_model(p / "model.safetensors").get_weights() for p in (trained, tmp_path))
    for a, b in zip(one, two):
        np.testing.assert_array_equal(a, b)
    assert not (tmp_path / "backup").exists()


def test_train_without_matplotlib(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["train", str(data), "--epochs", "1", "--output", str(tmp_path)]) == 0
    assert 'pip install "fastcnn[plot]"' in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["history.json", "model.safetensors"]


def test_train_on_pictures_that_are_too_small(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(data), "--image-size", "10", "--output", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "at least 18x18, received 10x10" in said.err
    assert not said.out  # nothing was read


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_interrupted_training_keeps_the_model_apart(data: Path, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"an older model")
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "fastcnn", "train", str(data), "--epochs", "100000", "--output", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:  # a line an epoch, where the output is no terminal
            if line.startswith("Epoch 2/"):
                break
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert time.monotonic() - start < 20  # the time it takes on a busy machine; mostly far below a second
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "interrupted" in err
    assert (tmp_path / "model.safetensors").read_bytes() == b"an older model"
    assert models.load_model(tmp_path / "model-interrupted.safetensors").metadata["class_names"]


# ---------------------------------------------------------------- evaluate, predict


def test_evaluate(trained: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(trained / "model.safetensors")
    assert main(["evaluate", model]) == 0
    assert "all pictures: accuracy 1.0000" in capsys.readouterr().out
    assert main(["evaluate", model, str(data), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pictures"] == 60
    assert found["accuracy"] == 1.0
    assert found["classes"]["lying"]["recall"] == found["averages"]["macro avg"]["recall"] == 1.0
    assert sorted(found["classes"]) == ["lying", "standing"]


def test_evaluate_on_other_classes(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = pictures(tmp_path / "other", 2)
    (other / "lying").rename(other / "crooked")
    assert main(["evaluate", str(trained / "model.safetensors"), str(other)]) == 1
    assert "knows the classes lying, standing" in capsys.readouterr().err


def test_predict(trained: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = [str(data / "lying" / "3.png"), str(data / "standing" / "4.png")]
    model = str(trained / "model.safetensors")
    assert main(["predict", model, *images, "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [entry["image"] for entry in found] == images
    assert [entry["classes"][0]["class"] for entry in found] == ["lying", "standing"]
    assert sum(c["probability"] for c in found[0]["classes"]) == pytest.approx(1, abs=1e-5)
    assert main(["predict", model, *images, "--top", "1"]) == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["lying", "standing"]


def test_predict_other_sizes_and_inverted(
    trained: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Image.open(data / "standing" / "7.png") as image:
        large = image.resize((200, 100)).convert("RGB")
    large.save(tmp_path / "large.jpg")
    Image.fromarray(255 - np.asarray(large)).save(tmp_path / "negative.png")
    model = str(trained / "model.safetensors")
    assert main(["predict", model, str(tmp_path / "large.jpg")]) == 0
    captured = capsys.readouterr()
    assert "standing" in captured.out.split(",")[0]
    assert "--invert" not in captured.err
    assert main(["predict", model, str(tmp_path / "negative.png")]) == 0
    assert "light background" in capsys.readouterr().err
    assert main(["predict", model, "--invert", str(tmp_path / "negative.png")]) == 0
    captured = capsys.readouterr()
    assert "standing" in captured.out.split(",")[0]
    assert not captured.err


def test_predict_goes_on_after_a_bad_picture(
    trained: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.png").write_bytes(b"nothing")
    good = str(data / "lying" / "1.png")
    words = ["predict", str(trained / "model.safetensors"), str(tmp_path / "bad.png"), good, str(tmp_path / "none.png")]
    assert main(words) == 1
    captured = capsys.readouterr()
    assert [line.split(":")[0] for line in captured.out.splitlines()] == [good]
    assert "bad.png: not a picture" in captured.err
    assert "none.png: no such file" in captured.err


def test_predict_with_a_model_of_ones_own(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No names and no scaling in the file: numbered classes, pixels in [0, 1]."""
    model = models.Sequential([layers.Input((4, 4, 3)), layers.GlobalMaxPooling2D(), layers.Softmax()])
    model.save(tmp_path / "own.safetensors")
    assert main(["predict", str(tmp_path / "own.safetensors"), str(data / "lying" / "1.png"), "--json"]) == 0
    classes = json.loads(capsys.readouterr().out)["classes"]
    assert [c["class"] for c in classes] == ["class 0", "class 1", "class 2"]
    assert [c["probability"] for c in classes] == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("shape", [(4,), (8, 8, 2)])
def test_predict_with_a_model_that_takes_no_pictures(
    shape: tuple[int, ...], tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = models.Sequential([layers.Input(shape), layers.Flatten(), layers.Dense(2)])
    model.save(tmp_path / "own.safetensors")
    assert main(["predict", str(tmp_path / "own.safetensors"), str(data / "lying" / "1.png")]) == 1
    assert "pictures have (batch, height, width, 1 or 3)" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"", b"no model", b"\xff" * 64])
def test_no_model(content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    assert main(["predict", str(path), "x.png"]) == 1
    err = capsys.readouterr().err
    assert str(path) in err
    assert "Traceback" not in err


# ---------------------------------------------------------------- info, help, errors


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["fastcnn"] == fastcnn.__version__
    assert found["instruction_set"] in found["usable_instruction_sets"]
    assert found["libraries"]["numpy"] == np.__version__
    assert found["num_threads"] >= 1
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    assert f"instruction set          {found['instruction_set']}\n" in text


def test_threads_and_instruction_set_from_outside() -> None:
    done = shell("info", "--json", "--threads", "3", FASTCNN_ISA="portable", FASTCNN_DATA_DIR="/x y")
    found = json.loads(done.stdout)
    assert found["num_threads"] == 3
    assert found["instruction_set"] == "portable"
    assert found["environment"]["FASTCNN_DATA_DIR"] == "/x y"


def test_unknown_instruction_set_is_no_traceback() -> None:
    done = shell("info", FASTCNN_ISA="avx3")
    assert done.returncode == 1
    assert "FASTCNN_ISA" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["train", "evaluate", "predict", "info", "bench"])
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert f"usage: fastcnn {command}" in text
    assert max(map(len, text.splitlines())) <= 110


def test_help_imports_nothing_heavy() -> None:
    program = "import sys\nfrom fastcnn.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    program += "assert not {'PIL', 'matplotlib', 'tqdm', 'fastcnn.models', 'fastcnn.layers'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["train", "--epochs", "0"], "at least 1, received 0"),
        (["train", "--epochs", "many"], "'many' is not a whole number"),
        (["train", "--learning-rate", "-1"], "above 0"),
        (["train", "--learning-rate", "nan"], "above 0"),
        (["train", "--validation-split", "1"], "between 0 and 1"),
        (["train", "--image-size", "0x3"], "a size like 64"),
        (["predict"], "MODEL"),
        (["predict", "model.safetensors"], "IMAGE"),
        (["explain"], "invalid choice"),
        (["train", "sample", "--crop", "3"], "usage: fastcnn train"),
    ],
)
def test_wrong_usage_is_exit_code_2(words: list[str], match: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert match in capsys.readouterr().err


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "fastcnn train" in capsys.readouterr().err


def test_errors_without_and_with_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", str(tmp_path / "nothing"), "--output", str(tmp_path)]
    assert main(words) == 1
    err = capsys.readouterr().err
    assert err.startswith("fastcnn: there is no folder")
    with pytest.raises(ValueError, match="there is no folder"):
        main([*words, "--debug"])


def test_output_that_is_a_file(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("")
    assert main(["train", str(data), "--output", str(tmp_path / "out")]) == 1
    assert "File exists" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="pipes of a shell")
def test_a_reader_that_leaves_early() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write) as closed:
        done = subprocess.run(
            [sys.executable, "-m", "fastcnn", "info"], stdout=closed, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
