"""Listings of boxes with anything in them: they are read, or refused with a ValueError; nothing else happens."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from boxed_pictures import picture
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcnn.data import (
    Dataset,
    detection_dataset_from_coco,
    detection_dataset_from_csv,
    detection_dataset_from_voc,
    detection_dataset_from_yolo,
)

NUMBERS = st.one_of(
    st.sampled_from(["0", "1", "5", "9.5", "20", "-3", "nan", "inf", "1e400", "", "x", "0.5", "0.25", "1_0"]),
    st.floats().map(repr),
    st.text(max_size=3),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just(10**400)),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
CORNER = st.one_of(st.integers(-2, 22), VALUES)
BOXES = st.one_of(st.lists(CORNER, min_size=4, max_size=4), VALUES)
IDS = st.one_of(st.integers(0, 3), VALUES)
NAMES = st.one_of(st.sampled_from(["a.png", "b.png", "c.png", "../a.png", "", "\x00", "\ud800"]), VALUES)
IMAGE = {"id": IDS, "file_name": NAMES, "width": st.just(20) | VALUES, "height": st.just(10) | VALUES}
ANNOTATION = {"id": IDS, "image_id": IDS, "category_id": IDS, "bbox": BOXES}
COCO = st.fixed_dictionaries({
    "images": st.lists(st.fixed_dictionaries(IMAGE) | VALUES, max_size=4),
    "annotations": st.lists(
        st.fixed_dictionaries(ANNOTATION, optional={"area": VALUES, "iscrowd": VALUES}) | VALUES, max_size=6
    ),
    "categories": st.lists(st.fixed_dictionaries({"id": IDS, "name": VALUES}) | VALUES, max_size=3),
}).map(json.dumps)  # fmt: skip
VOC = st.lists(st.tuples(st.text(max_size=3), *[NUMBERS] * 4), max_size=4).map(
    lambda things: "<annotation><size><width>20</width><height>10</height></size>" + "".join(
        f"<object><name>{name}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox>"
        "</object>" for name, a, b, c, d in things) + "</annotation>"
)  # fmt: skip
YOLO = st.lists(st.lists(NUMBERS, max_size=8).map(" ".join), max_size=5).map("\n".join)
CSV = st.lists(
    st.tuples(st.sampled_from(["a.png", "b.png", "c.png", "/x.png", "path"]), *[NUMBERS] * 5), max_size=5
).map(lambda rows: "\n".join(",".join(row) for row in rows))
OPTIONS: dict[str, Any] = {"image_size": (10, 20), "shuffle": False}
FORMS: dict[str, tuple[Any, str, Callable[[Path, str], Dataset]]] = {
    "voc": (VOC, "a.xml", lambda root, e: detection_dataset_from_voc(root, on_error=e, **OPTIONS)),
    "coco": (COCO, "a.json", lambda root, e: detection_dataset_from_coco(root / "a.json", on_error=e, **OPTIONS)),
    "yolo": (YOLO, "a.txt", lambda root, e: detection_dataset_from_yolo(root, on_error=e, **OPTIONS)),
    "csv": (CSV, "a.csv", lambda root, e: detection_dataset_from_csv(root / "a.csv", on_error=e, **OPTIONS)),
}


@pytest.mark.parametrize("form", FORMS)
def test_anything_is_read_or_refused(form: str, tmp_path: Path) -> None:
    texts, name, read = FORMS[form]
    for one in ("a", "b"):
        picture(tmp_path / f"{one}.png", 9)

    @settings(deadline=None, max_examples=40)
    @given(content=st.one_of(texts.map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary(max_size=40)))
    def check(content: bytes) -> None:
        (tmp_path / name).write_bytes(content)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                dataset = read(tmp_path, "skip")
            except ValueError:
                with pytest.raises(ValueError):
                    read(tmp_path, "raise")
                return
        # Whatever is left out or changed is told, and an error where that is wanted; all that is left can be used.
        assert bool(told) == bool(dataset.problems)
        if told:
            with pytest.raises(ValueError, match="can't be taken unchanged"):
                read(tmp_path, "raise")
        images, labels, boxes = dataset.peek()
        assert len(images) == len(labels) == len(boxes) == len(dataset.file_paths or ())
        for kinds, own in zip(labels, boxes):
            assert own.shape == (len(kinds), 4) and (own[:, 2:] > own[:, :2]).all()
            assert np.isfinite(own).all() and (own >= 0).all() and (own <= [20, 10, 20, 10]).all()
            assert not len(kinds) or 0 <= kinds.min() <= kinds.max() < len(dataset.class_names or ())

    check()
