"""`fastcnn bench --layers`: reading shapes, measuring without and with peers, and what is made of the figures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastcnn.cli import main
from fastcnn.cli.versus import measure, ours, report, shapes
from fastcnn.cli.versus.contender import Contender, Task

LINES = """# size in out kernel stride dilation padding groups times
conv        9     16     16       3       1         1        1       1      2
conv        8x7    4      6       1x3     2x1       1        0x1     2      1  # a comment
depthwise   9      5     10       3       2         1        1       1      1
transposed  4      6      3       3       2         1        1       1      1
max_pool    8      4      4       3       2         1        1       1      1
avg_pool    8      4      4       2       2         1        0       1      1
batch_norm  8      4      4       1       1         1        0       1      1
relu        8      4      4       1       1         1        0       1      1
softmax     1     10     10       1       1         1        0       1      1
adam        1    100    100       1       1         1        0       1      1
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.txt"
    path.write_text(LINES)
    return path


def test_the_files_of_the_project_are_readable() -> None:
    folder = Path(__file__).parent.parent / "benchmarks" / "shapes"
    if not folder.exists():
        pytest.skip("the benchmarks are not beside the tests")
    found = {path.stem: shapes.read(path) for path in folder.glob("*.txt")}
    assert len(found) == 8
    for name, listed in found.items():
        assert len(set(listed)) == len(listed), f"{name} has a shape twice"
    # FLOPs as the papers count multiply-adds: VGG-16 15.3e9, ResNet-50 4.1e9, MobileNetV2 0.3e9, without dense layers.
    for name, billions in (("vgg-16", 15.35), ("resnet-50", 4.09), ("resnet-18", 1.81), ("mobilenet-v2", 0.30)):
        counted = sum(shape.times * shape.flops(1, "forward") / 2e9 for shape in found[name])
        assert counted == pytest.approx(billions, rel=0.02), name


def test_reading(file: Path) -> None:
    first, second, third, fourth, *_ = shapes.read(file)
    assert first.name == "conv 3x3 9x9 16->16"
    assert (first.times, first.group(), first.y_shape(2)) == (2, "other", (2, 9, 9, 16))
    assert second.name == "conv 1x3/2x1 8x7 4->6 groups 2"
    assert second.y_shape(1) == (1, 4, 7, 6)
    assert third.geometry(1).is_depthwise
    assert third.y_shape(1) == (1, 5, 5, 10)
    assert (fourth.x_shape(1), fourth.y_shape(1)) == ((1, 4, 4, 6), (1, 7, 7, 3))


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("conv 9 16 16 3 1 1 1 1", "10 columns"),
        ("konv 9 16 16 3 1 1 1 1 1", "kind must be one of"),
        ("conv 9 x 16 3 1 1 1 1 1", "in must be a number"),
        ("conv 9 16 16 0 1 1 1 1 1", "kernel must be .* at least 1"),
        ("conv 2 16 16 5 1 1 0 1 1", "larger than the padded input"),
        ("conv 9 16 16 3 1 1 1 3 1", "groups must divide"),
    ],
)
def test_lines_that_are_no_shapes(line: str, match: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(f"# first\n{line}\n")
    with pytest.raises(ValueError, match=rf"bad\.txt, line 2: .*{match}"):
        shapes.read(path)


@pytest.mark.parametrize("number", range(10))
def test_what_is_measured_is_the_layer(number: int, file: Path) -> None:
    """Against PyTorch where it is installed: `measure.run` itself compares all contenders' results."""
    pytest.importorskip("torch")
    from fastcnn.cli.versus import torch_peer

    shape = shapes.read(file)[number]
    for direction in shape.directions:
        row = measure.run(Task.make(shape, 2, direction), [lambda task: torch_peer.contenders(task, 1)], 0.0)
        assert row["seconds"][ours.NAME]["best"] <= row["seconds"][ours.NAME]["median"]
        assert report.best_peer(row).startswith("PyTorch")
        assert report.ratio(row) > 0


def test_who_computes_something_else_is_found_out(file: Path) -> None:
    task = Task.make(shapes.read(file)[0], 1, "forward")
    wrong = Contender("wrong", lambda: None, lambda _: [np.zeros((1, 9, 9, 16), np.float32)])
    with pytest.raises(ValueError, match="wrong computes something else"):
        measure.run(task, [lambda _: [wrong]], 0.0)


def test_command(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("fastcnn.cli.versus._peers", lambda threads: ([], []))
    results = tmp_path / "results.json"
    words = ["bench", "--layers", str(file), "--seconds", "0.001", "--results", str(results)]
    assert main([*words, "--batch", "1", "--match", "conv"]) == 0
    assert "conv 3x3 9x9 16->16" in capsys.readouterr().out
    before = json.loads(results.read_text())
    assert {row["direction"] for row in before["rows"]} == {"forward", "backward"}
    assert before["machine"]["num_threads"] >= 1
    assert before["limits"][0]["gflops"] > 0
    assert main([*words, "--batch", "1", "2"]) == 0  # goes on where it was
    after = json.loads(results.read_text())
    assert after["rows"][: len(before["rows"])] == before["rows"]
    assert len(after["rows"]) == 2 * (2 * 8 + 1) + 1
    assert main([*words, "--chart", str(tmp_path / "chart.png")]) == 1
    assert "no shape that was measured beside a peer" in capsys.readouterr().err


def test_what_takes_too_long_or_too_much_is_left_out(file: Path) -> None:
    shape = shapes.read(file)[0]
    assert measure.too_much(shape, 1, "forward", {"bytes": 1e9, "seconds": 1.0}, 100.0) == ""
    assert measure.too_much(shape, 1, "forward", {"bytes": 1e3, "seconds": 1.0}, 100.0).endswith("GB")
    assert "a call" in measure.too_much(shape, 1, "forward", {"bytes": 1e9, "seconds": 1e-9}, 100.0)


# ---------------------------------------------------------------- what is made of the figures


def row(name: str, group: str, mine: float, slow: float = 1.0, **peers: float) -> dict[str, Any]:
    seconds = {ours.NAME: mine, ours.TRAINING: mine / 2, **peers}
    return {
        "name": name, "group": group, "batch": 1, "direction": "forward", "flops": 1e9, "bytes": 1e6,
        "kernels": ["conv2d_forward"], "reference": {"best": 1.0, "median": slow},
        "seconds": {who: {"best": s, "median": s, "samples": 3} for who, s in seconds.items()},
    }  # fmt: skip


MACHINE = {"processor": "P", "instruction_set": "avx2", "num_threads": 2, "fastcnn": "0"}


def results(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"machine": MACHINE, "peers": ["PyTorch 2"], "limits": [{"gflops": 200.0, "bandwidth": 20.0}], "rows": rows}


def test_groups_are_held_to_their_bars() -> None:
    found = results(
        row("a", "3x3", 0.1, PyTorch=0.5, Onnx=0.4),
        row("b", "3x3", 0.4, PyTorch=0.4),
        row("c", "max_pool", 0.1, PyTorch=0.2, Onnx=0.01),  # pools are compared with PyTorch alone
    )
    threes, pools = report.groups(found)
    assert [r["name"] for r in threes.rows] == ["b", "a"]
    assert threes.mean == pytest.approx(0.5)
    assert [r["name"] for r in threes.missed] == ["b"]
    assert report.ratio(pools.rows[0]) == pytest.approx(0.5)
    text = report.summary(found)
    assert re.search(r"3x3, stride 1, C >= 32: forward +2 +0.50 +0.40 +1.00 +0.60 +1  b, batch 1", text)
    assert "quiet enough" in text


def test_a_noisy_machine_is_said_to_be_one() -> None:
    found = results(*(row(str(i), "other", 0.1, 1.0 if i < 5 else 1.5, PyTorch=0.5) for i in range(10)))
    assert "too noisy to trust" in report.summary(found)


def test_chart(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from fastcnn.cli.versus.chart import draw

    draw(results(row("a", "3x3", 0.1, PyTorch=0.5)), tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="must end in"):
        draw(results(row("a", "3x3", 0.1, PyTorch=0.5)), tmp_path / "chart.bmp")
