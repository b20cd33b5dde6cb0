"""Tables of pictures with labels, and what is wrong in them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fastcnn.data import Dataset, PictureError, image_dataset_from_csv


def picture(path: Path, value: int, size: tuple[int, int] = (20, 10)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 0, 0)).save(path)


# ---------------------------------------------------------------- tables


@pytest.fixture
def table(tmp_path: Path) -> Path:
    for i in range(4):
        picture(tmp_path / "p" / f"{i}.png", 50 * i)
    path = tmp_path / "list.csv"
    rows = ["label,path,more", "dog,p/0.png,1", 'cat,"p/1.png",2', "", "dog,p\\2.png,3", f"ant,{tmp_path}/p/3.png,4"]
    path.write_text("\n".join(rows), encoding="utf-8-sig")
    return path


def content(dataset: Dataset) -> list[tuple[int, Any]]:
    return [(int(x[0, 0, 0]), y.tolist()) for xs, ys in dataset for x, y in zip(xs, ys)]


def test_tables(table: Path) -> None:
    options: dict[str, Any] = {"image_size": 4, "batch_size": 3, "shuffle": False}
    dataset = image_dataset_from_csv(table, **options)
    assert dataset.class_names == ["ant", "cat", "dog"]
    assert content(dataset) == [(0, 2), (50, 1), (100, 2), (150, 0)]
    ordered = image_dataset_from_csv(table, class_names=["dog", "cat", "ant"], label_mode="categorical", **options)
    assert [y.index(1) for _, y in content(ordered)] == [0, 1, 0, 2]
    numbers = image_dataset_from_csv(table, label_column="more", **options)
    assert [y for _, y in content(numbers)] == [1, 2, 3, 4]
    assert image_dataset_from_csv(table, label_column=None, **options).peek().shape == (3, 4, 4, 3)
    plain = table.with_name("plain.csv")
    plain.write_text("p/1.png;0\np/2.png;7\n")
    by_place = image_dataset_from_csv(plain, path_column=0, label_column=1, delimiter=";", **options)
    assert content(by_place) == [(50, 0), (100, 7)]
    with zipfile.ZipFile(table.with_name("a.zip"), "w") as archive:
        archive.write(table.with_name("p") / "1.png", "p/1.png")
    zipped = image_dataset_from_csv(plain, table.with_name("a.zip"), 0, 1, delimiter=";", on_error="skip", **options)
    with pytest.warns(UserWarning, match=r"a\.zip/p/2\.png: no such file"):
        assert content(zipped) == [(50, 0)]
    assert len(zipped.problems) == 1


def test_tables_that_do_not_do(table: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"list\.csv has no column 'file' in its first row; it has label, path, more"):
        image_dataset_from_csv(table, path_column="file")
    with pytest.raises(ValueError, match=r"list\.csv, line 6: the label 'ant' is none of \['dog', 'cat'\]"):
        image_dataset_from_csv(table, class_names=["dog", "cat"])
    for text, message in (
        ("path,label\n", "lists no pictures"),
        ("path,label\na.png\n", r"line 2: expected at least 2 columns, received \['a.png'\]"),
        ('path,label\n"a.png,1\n', "can't be read as a table"),
        ("path,label\n\xff", "can't be read as a table"),
    ):
        bad = tmp_path / "bad.csv"
        bad.write_bytes(text.encode("latin-1"))
        with pytest.raises(ValueError, match=rf"bad\.csv.*{message}"):
            image_dataset_from_csv(bad)
    for path in ("../a.png", "p/../../a.png", "..\\a.png", "/a.png", "C:/a.png", f"{tmp_path}/../a.png"):
        (tmp_path / "bad.csv").write_text(f"path,label\na.png,1\n{path},1\n")
        with pytest.raises(ValueError, match=r"bad\.csv, line 3: '.*a\.png' leads out of the folder"):
            image_dataset_from_csv(tmp_path / "bad.csv")
    for label in ("30000000", "9" * 20, "9" * 5000):
        (tmp_path / "bad.csv").write_text(f"path,label\na.png,1\na.png,{label}\n")
        with pytest.raises(
            ValueError, match=r"bad\.csv, line 3: the label '9*3?0*.* is no class number that is likely"
        ):
            image_dataset_from_csv(tmp_path / "bad.csv")
    (tmp_path / "bad.csv").write_text("path,label\nnothing.png,1\n")
    with pytest.raises(PictureError, match=r"nothing\.png: No such file"):
        list(image_dataset_from_csv(tmp_path / "bad.csv"))
