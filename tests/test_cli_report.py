"""The HTML report of a training: whole, self-contained, and proof against what names may hold."""

from __future__ import annotations

import base64
import errno
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fastcnn import layers as L  # noqa: N812
from fastcnn.cli import main, report_page
from fastcnn.cli.report_html import bars, curves, element, picture, text, ticks
from fastcnn.models import Sequential

HOSTILE = ("<script>alert(1)</script>", '" onload="x', "&amp;'\x00\udc80", "accuracy", "accuracy")
VOID = {"img", "meta", "br"}


class Reader(HTMLParser):
    """The elements of a document, and whether each is closed where it should be."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in VOID or self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, name: str) -> Iterator[dict[str, str | None]]:
        return (attrs for tag, attrs in self.found if tag == name)


def read(document: str) -> Reader:
    reader = Reader()
    reader.feed(document)
    reader.close()
    assert reader.open == []
    return reader


def trained(names: tuple[str, ...], count: int = 60, **more: Any) -> tuple[report_page.Trained, np.ndarray]:
    """A made-up run, and the probabilities that its model gives: the first class is taken for the second."""
    rng = np.random.default_rng(0)
    classes = len(names)
    y = np.arange(count) % classes
    named = np.where(y == 0, 1, y)
    probabilities = 0.1 * rng.dirichlet(np.ones(classes), count) + 0.9 * np.eye(classes)[named]
    model = Sequential([L.Input((6, 5, 1)), L.Flatten(), L.Dense(classes, activation="softmax")])
    history = {"loss": [1.5, float("nan"), 0.5], "accuracy": [0.5, 0.7, 0.9], "val_loss": [1.6, 1.2, 0.9]}
    facts = {"title": "A test", "settings": {"data": names[0]}, "history": history, "seconds": [2.0, 1.0, 1.5], **more}
    x = rng.integers(0, 256, (count, 6, 5, 1), np.uint8)
    return report_page.Trained(
        model=model, x=x, y=y, class_names=names, judged_on="test pictures", **facts
    ), probabilities


def test_self_contained_and_escaped() -> None:
    document = report_page.page(*trained(HOSTILE, title="<b>&"), 0.1)
    document.encode("utf-8")
    reader = read(document)
    tags = {tag for tag, _ in reader.found}
    assert not tags & {"script", "link", "iframe", "object", "embed", "form", "base", "b onload"}
    for tag, attrs in reader.found:
        assert not [name for name in attrs if name.startswith("on")], (tag, attrs)
        for name in ("src", "href", "xlink:href", "action"):
            assert (attrs.get(name) or "data:image/png;base64,").startswith("data:image/png;base64,")
    assert "url(" not in document and "@import" not in document
    policy = [a["content"] for a in reader.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    # What was dangerous is there to be read.
    assert "<script>alert(1)</script>" in reader.texts
    assert '" onload="x' in reader.texts
    assert "&amp;'\ufffd\ufffd" in reader.texts
    assert "<b>&" in reader.texts


def test_what_it_says() -> None:
    run, probabilities = trained(("cat", "dog", "owl"))
    reader = read(report_page.page(run, probabilities, 0.1))
    told = " ".join(reader.texts)
    assert "0.6667" in told  # two of three classes are right
    assert told.count("is cat") == 20  # every mistake has its picture
    assert "cat taken for dog: 20" in {a.get("title") for a in reader.all("td")}
    for title in ("Learning curves", "Classes", "Confusions", "Mistakes", "Confidence", "Settings", "Time", "Versions"):
        assert title in reader.texts
    precision, recall = 20 / 40, 1.0
    rows = re.search(r"dog\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)\s+20 ", told)
    assert rows and [float(g) for g in rows.groups()] == pytest.approx([precision, recall, 2 / 3], abs=1e-3)
    images = [a["src"] for a in reader.all("img")]
    first = Image.open(BytesIO(base64.b64decode(str(images[0]).partition(",")[2])))
    worst = max(range(0, 60, 3), key=lambda i: probabilities[i].max())
    assert first.width >= 90
    np.testing.assert_array_equal(np.asarray(first)[:: first.height // 6, :: first.width // 5], run.x[worst, ..., 0])


def test_many_classes_and_no_mistakes() -> None:
    names = tuple(f"class {i}" for i in range(report_page.LARGEST_MATRIX + 1))
    run, probabilities = trained(names, 200)
    reader = read(report_page.page(run, probabilities, 0.1))
    assert not [a for a in reader.all("table") if a.get("class") == "matrix"]
    assert "class 0" in reader.texts
    run, _ = trained(("cat", "dog"), seconds=[])
    reader = read(report_page.page(run, np.eye(2)[run.y], 0.1))
    assert "None." in reader.texts


def test_pieces() -> None:
    assert element("p", "<", element("b", "x"), title='"', aria_label=None) == '<p title="&quot;">&lt;<b>x</b></p>'
    assert text(element("b", "&")) == "<b>&amp;</b>"
    assert ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert ticks(1, 3, 8) == pytest.approx([1, 1.5, 2, 2.5, 3])
    for series in (
        {"training": [0.5]},
        {"training": [float("nan")] * 2},
        {"training": [3.0, 3.0], "validation": [-1.0]},
        {"training": [1.7e308, 2.0, -1.7e308]},
    ):
        drawn = read(curves(series, "loss", share=False))
        places = [v for a in drawn.all("polyline") for v in re.findall(r"-?[\d.]+", str(a["points"]))]
        assert all(0 <= float(v) <= 460 for v in places)
        assert "nan" not in str(drawn.found)
    assert len(list(read(bars([1.0, 2.0], "seconds")).all("rect"))) == 2
    assert "epoch 2: 2.00 seconds" in read(bars([1.0, 2.0], "seconds")).texts
    colour = np.zeros((2, 3, 3), np.uint8)
    assert 'alt="a &lt; b"' in picture(colour, "a < b")


def test_whether_it_can_be_written_is_known_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old.html"
    old.write_text("old")
    for path in (old, tmp_path / "new.html", tmp_path / "folder" / "new.html"):
        report_page.prepare(path)
    assert old.read_text() == "old"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["folder", "old.html"]

    def refuse(path: str, *arguments: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match=r"new\.html"):
        report_page.prepare(tmp_path / "new.html")


def test_train_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, level in (("<i>dark</i>", 30), ("light & bright", 220)):
        (tmp_path / "data" / name.replace("/", "∕")).mkdir(parents=True)
        for i in range(12):
            pixels = np.random.default_rng(i).integers(level, level + 20, (20, 20), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name.replace("/", "∕") / f"{i}.png")
    page = tmp_path / "new" / "report.html"
    words = ["train", str(tmp_path / "data"), "--epochs", "2", "--seed", "1", "--output", str(tmp_path / "out")]
    assert main([*words, "--report", str(page)]) == 0
    assert f"report           {page}" in capsys.readouterr().out
    reader = read(page.read_text("utf-8"))
    assert "<i>dark<∕i>" in reader.texts and "light & bright" in reader.texts
    assert main([*words, "--report", str(tmp_path)]) == 1
    assert "--report must be a file to write, received the folder" in capsys.readouterr().err


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
def test_in_a_browser(tmp_path: Path) -> None:
    """Headless Chromium, offline: the page fits its window, and nothing is reported as refused or broken."""
    run, probabilities = trained(("cat", "dog", *HOSTILE))
    (tmp_path / "report.html").write_text(report_page.page(run, probabilities, 0.1), "utf-8")
    shot = tmp_path / "shot.png"
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
        "--v=0",
        f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={shot}", "--window-size=1000,2400",
        "--host-resolver-rules=MAP * ~NOTFOUND", (tmp_path / "report.html").as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "CONSOLE" not in done.stderr, done.stderr
    with Image.open(shot) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    assert pixels.shape == (2400, 1000, 3)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100
