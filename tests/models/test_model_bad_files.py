"""Model files that are turned away: damaged, doctored, or of something else."""

from __future__ import annotations

import json
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_tools import X, same_bits, small

from fastcnn import layers as L  # noqa: N812
from fastcnn.errors import ModelFileError
from fastcnn.models import Sequential, load_model


def rewritten(path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The file with its safetensors header changed; the tensors' bytes stay."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    new = path.with_name("changed")
    new.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    return new


def meta(**values: str) -> Callable[[dict[str, Any]], Any]:
    return lambda header: header["__metadata__"].update(values)


def config(change: Callable[[dict[str, Any]], Any], key: str = "model") -> Callable[[dict[str, Any]], Any]:
    def apply(header: dict[str, Any]) -> None:
        data = json.loads(header["__metadata__"][key])
        change(data)
        header["__metadata__"][key] = json.dumps(data)

    return apply


def layer(number: int, **values: Any) -> Callable[[dict[str, Any]], Any]:
    return config(lambda data: data["config"]["layers"][number]["config"].update(values))


def renamed(header: dict[str, Any]) -> None:
    name = next(k for k in header if k.endswith("bias") and "optimizer" not in k)
    header["../../etc/passwd"] = header.pop(name)


def reshaped(shape: list[int], kind: str = "F32") -> Callable[[dict[str, Any]], Any]:
    def apply(header: dict[str, Any]) -> None:
        name = next(k for k in header if k.endswith("bias") and "optimizer" not in k)
        header[name].update(shape=shape, dtype=kind)

    return apply


def state_renamed(header: dict[str, Any]) -> None:
    header["/optimizer/m/other/bias"] = header.pop(next(k for k in header if k.startswith("/optimizer/m/")))


def state_misshapen(header: dict[str, Any]) -> None:
    name = next(k for k in header if re.fullmatch(r"/optimizer/v/dense.*/kernel", k))
    header[name]["shape"].reverse()


def state_forgotten(data: dict[str, Any]) -> None:
    """The header no longer says that the last weight was trained."""
    data["trained"].pop()


#: Models in models, deeper than Python's stack.
NESTED = '{"class_name": "Sequential", "config": {"name": "s", "layers": [' * 300 + "]}}" * 300


#: (change of the header, what the message must say)
DOCTORED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "version": (meta(version="2"), "has format version '2'; this fastcnn reads version 1"),
    "format": (meta(format="pt"), "not one written by fastcnn"),
    "kind": (meta(kind="optimizer"), "holds weights alone"),
    "no metadata": (lambda h: h.pop("__metadata__"), "not one written by fastcnn"),
    "no model": (lambda h: h["__metadata__"].pop("model"), "'model' is no valid configuration"),
    "not JSON": (meta(model="{"), "'model' is no valid configuration"),
    "a list": (meta(model="[]"), "'model' is no valid configuration"),
    "deep JSON": (meta(model="[" * 100_000), "'model' is no valid configuration"),
    "empty": (meta(model="{}"), "configuration can't be built"),
    "a layer": (meta(model='{"class_name": "Dense", "config": {"units": 2}}'), "is not that of a built model"),
    "unbuilt": (meta(model='{"class_name": "Sequential", "config": {"name": "s", "layers": []}}'), "of a built model"),
    "unknown class": (config(lambda d: d["config"]["layers"][1].update(class_name="Con2D")),
                      "Unknown layer class 'Con2D'. Did you mean 'Conv2D'"),
    "a name of Python": (config(lambda d: d["config"]["layers"][1].update(class_name="os.system")), "Unknown layer"),
    "unknown argument": (layer(1, evil=1), "configuration can't be built"),
    "wrong type": (layer(1, filters="many"), "filters must be an integer"),
    "null": (layer(1, filters=None), "filters must be an integer"),
    "shared with nobody": (config(lambda d: d["config"]["layers"].append(
        {"class_name": "Shared", "config": {"number": 99}})), "configuration can't be built"),
    "nested": (meta(model=NESTED), "configuration"),
    "a bad name": (layer(1, name="../x"), "without '/'"),
    "a billion units": (layer(3, units=10**9), "is larger than what the file holds"),
    "a petabyte of filters": (layer(1, filters=2**31 - 1, kernel_size=[30000, 30000], padding="same"),
                              "is larger than what the file holds"),
    "a petabyte image": (layer(0, shape=[2**30, 2**30, 2]), "is larger than what the file holds"),
    "other units": (layer(3, units=2), "has shape"),
    "a weight more": (renamed, r"missing dense.*/bias|missing conv2d.*/bias"),
    "another shape": (reshaped([2, 2]), "has shape|damaged"),
    "another type": (reshaped([4], "I32"), "type I32|damaged"),
    "a petabyte weight": (reshaped([2**25, 2**25]), "damaged"),
    "a negative shape": (reshaped([-4]), "damaged"),
    "unknown optimizer": (config(lambda d: d["optimizer"].update(class_name="Evil"), "compile"), "Unknown optimizer"),
    "bad optimizer": (config(lambda d: d["optimizer"]["config"].update(beta_1=5), "compile"), "beta_1 must be"),
    "bad loss": (config(lambda d: d.update(loss="evil"), "compile"), "Unknown loss"),
    "bad iterations": (config(lambda d: d.update(iterations=-1), "compile"), "iterations must be at least 0"),
    "huge iterations": (config(lambda d: d.update(iterations=1e400), "compile"), "iterations must be an integer"),
    "state of a slot": (config(lambda d: d["optimizer"].update(class_name="Lion"), "compile"), "can't be restored"),
    "state of other weights": (state_renamed, "missing /optimizer/m/.*; not in the model /optimizer/m/other/bias"),
    "state of another shape": (state_misshapen, "optimizer array '/optimizer/v/dense.*/kernel' has shape"),
    "state left over": (config(state_forgotten, "compile"), "its optimizer arrays .* not in the model /optimizer/m/"),
    "state of nothing": (lambda h: h["__metadata__"].pop("compile"), "not in the model /optimizer/m/"),
    "trained what?": (config(lambda d: d.update(trained=["a/b"]), "compile"), "how it was compiled can't be restored"),
    "trained of no list": (config(lambda d: d.update(trained=3), "compile"), "how it was compiled can't be restored"),
    "no trained": (config(lambda d: d.pop("trained"), "compile"), "how it was compiled can't be restored"),
    "compile is a list": (meta(compile="[]"), "'compile' is no valid configuration"),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCTORED)
def test_doctored_files(name: str, file: Path) -> None:
    change, message = DOCTORED[name]
    with pytest.raises(ModelFileError) as caught:
        load_model(rewritten(file, change))
    assert re.search(message, str(caught.value)), caught.value
    assert "changed" in str(caught.value)


def test_truncated_files(file: Path, tmp_path: Path) -> None:
    data = file.read_bytes()
    header = 8 + struct.unpack("<Q", data[:8])[0]
    model = small()
    before = model.get_weights()
    for length in (0, 1, 7, 8, 9, header // 2, header - 1, header, header + 1, len(data) - 4, len(data) - 1):
        (tmp_path / "short").write_bytes(data[:length])
        for call in (lambda: load_model(tmp_path / "short"), lambda: model.load_weights(tmp_path / "short")):
            with pytest.raises(ModelFileError, match="short"):
                call()  # type: ignore[no-untyped-call]
    (tmp_path / "short").write_bytes(data + b"\0\0\0\0")
    with pytest.raises(ModelFileError, match="damaged"):
        load_model(tmp_path / "short")
    assert same_bits(before, model.get_weights())


def test_other_formats(tmp_path: Path) -> None:
    path = tmp_path / "other"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    contents = [path.read_bytes(), np.random.default_rng(0).bytes(5000), b"\x89HDF\r\n\x1a\n" + b"\0" * 100, b"{}" * 50]
    np.savez(tmp_path / "a.npz", X)
    contents.append((tmp_path / "a.npz").read_bytes())
    contents.append(struct.pack("<Q", 2**60) + b"{}")
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match="other is not a model file, or is damaged"):
            load_model(path)
    with pytest.raises(ModelFileError, match="is a folder"):
        load_model(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_model(tmp_path / "nowhere")


def test_weights_that_do_not_fit_change_nothing(file: Path, tmp_path: Path) -> None:
    model = Sequential([L.Conv2D(4, 3, input_shape=(6, 5, 2)), L.Flatten(), L.Dense(4)])
    before = model.get_weights()
    with pytest.raises(ModelFileError, match=r"weight 'dense/(kernel|bias)' has shape"):
        model.load_weights(file)
    other = Sequential([L.Input((6, 5, 2)), L.Flatten(), L.Dense(3, name="head")])
    with pytest.raises(ModelFileError, match=r"missing head/bias, head/kernel; not in the model conv2d/bias"):
        other.load_weights(file)
    assert same_bits(before, model.get_weights())
