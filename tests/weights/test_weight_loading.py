"""Tensors of PyTorch's layouts become the weights of layers, all or none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch_writer as tw
from safetensors.numpy import save_file

from fastcnn import layers, weights
from fastcnn.errors import ModelFileError
from fastcnn.models import Model, Sequential

RNG = np.random.default_rng(0)
Arrays = dict[str, np.ndarray]


def drawn(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def saved(folder: Path, arrays: Arrays) -> Path:
    path = folder / "weights.pth"
    path.write_bytes(tw.zip_file(arrays))
    return path


def model() -> Sequential:
    """A kernel of each kind, normalization, and a dense layer on flattened maps."""
    return Sequential([
        layers.Input((6, 5, 4)),
        layers.Conv2D(6, (3, 2), groups=2, name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.DepthwiseConv2D(2, depth_multiplier=2, use_bias=False, name="depthwise"),
        layers.Conv2DTranspose(3, (1, 2), name="transposed"),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(5, "relu", name="dense"),
        layers.Dense(2, name="last"),
    ])  # fmt: skip


def arrays() -> Arrays:
    return {
        "conv.weight": drawn(6, 2, 3, 2), "conv.bias": drawn(6),
        "norm.weight": drawn(6), "norm.bias": drawn(6), "norm.running_mean": drawn(6),
        "norm.running_var": drawn(6) ** 2, "norm.num_batches_tracked": np.array(3),
        "depthwise.weight": drawn(12, 1, 2, 2),
        "transposed.weight": drawn(12, 3, 1, 2), "transposed.bias": drawn(3),
        "dense.weight": drawn(5, 3 * 3 * 4), "dense.bias": drawn(5),
        "last.weight": drawn(2, 5), "last.bias": drawn(2),
    }  # fmt: skip


def values(of: Model) -> Arrays:
    return {variable.path: variable.numpy() for variable in of.weights}


def assert_loaded(found: Arrays, stored: Arrays) -> None:
    """Each number at the place that its meaning gives it."""
    for out, group_in, row, column in np.ndindex(6, 2, 3, 2):
        assert found["conv/kernel"][row, column, group_in, out] == stored["conv.weight"][out, group_in, row, column]
    for channel, multiple in np.ndindex(6, 2):
        kernel = found["depthwise/kernel"][:, :, channel, multiple]
        np.testing.assert_array_equal(kernel, stored["depthwise.weight"][2 * channel + multiple, 0])
    for source, out in np.ndindex(12, 3):
        kernel = found["transposed/kernel"][:, :, out, source]
        np.testing.assert_array_equal(kernel, stored["transposed.weight"][source, out])
    by_pixel = stored["dense.weight"].reshape(5, 3, 3, 4)  # out, channel, row, column
    for row, column, channel in np.ndindex(3, 4, 3):
        kernel = found["dense/kernel"][(row * 4 + column) * 3 + channel]
        np.testing.assert_array_equal(kernel, by_pixel[:, channel, row, column])
    np.testing.assert_array_equal(found["last/kernel"], stored["last.weight"].T)
    pairs = {"norm/gamma": "weight", "norm/beta": "bias", "norm/moving_mean": "running_mean",
             "norm/moving_variance": "running_var"}  # fmt: skip
    for mine, theirs in pairs.items():
        np.testing.assert_array_equal(found[mine], stored[f"norm.{theirs}"])
    for name in ("conv", "transposed", "dense", "last"):
        np.testing.assert_array_equal(found[f"{name}/bias"], stored[f"{name}.bias"])


def test_by_name(tmp_path: Path) -> None:
    stored, made = arrays(), model()
    mixed = {key: stored[key] for key in sorted(stored)}  # the order says nothing then
    report = weights.load(made, saved(tmp_path, mixed))
    assert (report.by, report.complete, report.ignored) == ("name", True, ["norm.num_batches_tracked"])
    assert_loaded(values(made), stored)


def test_by_order(tmp_path: Path) -> None:
    stored, made = arrays(), model()
    other = {f"features.{key.replace('.', '_block.')}": array for key, array in stored.items()}
    report = weights.load(made, saved(tmp_path, other))
    assert (report.by, report.complete) == ("order", True)
    assert_loaded(values(made), stored)


@pytest.mark.parametrize("as_function", [False, True])
def test_by_names_given(tmp_path: Path, as_function: bool) -> None:
    stored, made = arrays(), model()
    save_file({f"net.{key}": array for key, array in stored.items()}, tmp_path / "w.safetensors")
    names = {layer.name: f"net.{layer.name}" for layer in made.layers}
    report = weights.load(made, tmp_path / "w.safetensors", names.get if as_function else names)
    assert (report.by, report.complete) == ("name", True)
    assert_loaded(values(made), stored)


def test_sorted_files_are_not_taken_in_order(tmp_path: Path) -> None:
    """Two layers alike would be exchanged without a word."""
    made = Sequential([layers.Input((3,)), layers.Dense(3, name="b"), layers.Dense(3, name="a")])
    stored = {"0.weight": drawn(3, 3), "0.bias": drawn(3), "10.weight": drawn(3, 3), "10.bias": drawn(3)}
    save_file(stored, tmp_path / "w.safetensors")
    before = values(made)
    with pytest.raises(ModelFileError, match=r"the file has no 'b\.weight'"):
        weights.load(made, tmp_path / "w.safetensors")
    assert all(np.array_equal(before[key], array) for key, array in values(made).items())
    report = weights.load(made, tmp_path / "w.safetensors", {"b": "0", "a": "10"})
    assert [match.tensor for match in report.matched] == ["0.weight", "0.bias", "10.weight", "10.bias"]


def changed(**by: np.ndarray | None) -> Arrays:
    """The arrays, some replaced or (None) left out."""
    found = {**arrays(), **{key.replace("__", "."): array for key, array in by.items()}}
    return {key: array for key, array in found.items() if array is not None}


WRONG = {
    "a shape": (changed(conv__weight=drawn(6, 2, 2, 3)), "conv/kernel .conv.weight has shape"),
    "a missing tensor": (changed(dense__bias=None), "dense/bias .the file has no 'dense.bias'"),
    "one too many": (changed(more__weight=drawn(2)), "unused: 'more.weight'"),
    "integers": (changed(norm__bias=np.arange(6)), "norm/beta .norm.bias holds int64"),
    "a transposed kernel": (changed(last__weight=drawn(5, 2)), "last/kernel"),
    "dense weights as a kernel": (changed(last__weight=drawn(2, 5, 1, 1)), "last/kernel"),
}


@pytest.mark.parametrize("what", WRONG)
def test_all_or_nothing(tmp_path: Path, what: str) -> None:
    stored, said = WRONG[what]
    made = model()
    before, path = values(made), saved(tmp_path, stored)
    with pytest.raises(ModelFileError, match=said) as caught:
        weights.load(made, path)
    assert str(path) in str(caught.value)
    assert not weights.compare(made, path).complete
    assert all(np.array_equal(before[key], array) for key, array in values(made).items())


def test_a_new_head(tmp_path: Path) -> None:
    """What is missing keeps its numbers, and what is left over is passed over, where that is asked for."""
    made = Sequential([layers.Input((6, 5, 4)), *model().layers[:-1], layers.Dense(7, name="head")])
    before, path = values(made), saved(tmp_path, stored := arrays())
    for allowed in ({"allow_missing": True}, {"allow_unused": True}):
        with pytest.raises(ModelFileError, match="nothing was changed"):
            weights.load(made, path, **allowed)
    report = weights.load(made, path, allow_missing=True, allow_unused=True)
    assert sorted(report.missing) == ["head/bias", "head/kernel"]
    assert sorted(report.unused) == ["last.bias", "last.weight"]
    found = values(made)
    for key in ("head/bias", "head/kernel"):
        np.testing.assert_array_equal(found[key], before[key])
    np.testing.assert_array_equal(found["conv/bias"], stored["conv.bias"])


def test_nothing_in_common(tmp_path: Path) -> None:
    made = Sequential([layers.Input((3,)), layers.Dense(2, name="a")])
    with pytest.raises(ModelFileError, match="nothing was changed"):
        weights.load(made, saved(tmp_path, {"x.weight": drawn(4, 4, 3, 3)}), allow_missing=True, allow_unused=True)


def test_order_ends_where_kinds_differ(tmp_path: Path) -> None:
    made = Sequential([
        layers.Input((6, 6, 2)), layers.Conv2D(3, 3, name="a"), layers.Conv2D(3, 3, name="b"), layers.Flatten(),
        layers.Dense(2, name="c"),
    ])  # fmt: skip
    stored = {"x.weight": drawn(3, 2, 3, 3), "x.bias": drawn(3), "y.weight": drawn(2, 12), "y.bias": drawn(2)}
    report = weights.compare(made, saved(tmp_path, stored))
    assert [match.weight for match in report.matched] == ["a/kernel", "a/bias"]
    assert "another kind (dense)" in report.missing["b/kernel"]
    assert set(report.missing) == {"b/kernel", "b/bias", "c/kernel", "c/bias"}
    assert report.unused == ["y.weight", "y.bias"]


def test_other_layers(tmp_path: Path) -> None:
    made = Sequential([
        layers.Input((9, 2)), layers.Conv1D(4, 3, name="line"), layers.Reshape((7, 1, 4)),
        layers.PReLU(shared_axes=[1, 2], name="slopes"),
    ])  # fmt: skip
    stored = {"0.weight": drawn(4, 2, 3), "0.bias": drawn(4), "1.weight": drawn(4)}
    assert weights.load(made, saved(tmp_path, stored)).complete
    found = values(made)
    np.testing.assert_array_equal(found["line/kernel"], stored["0.weight"].transpose(2, 1, 0))
    np.testing.assert_array_equal(found["slopes/alpha"], stored["1.weight"].reshape(1, 1, 4))


def test_nested_models(tmp_path: Path) -> None:
    inner = Sequential([layers.Input((4,)), layers.Dense(3, name="a")], name="inner")
    made = Sequential([layers.Input((4,)), inner, layers.Dense(2, name="b")])
    stored = {"inner.a.weight": drawn(3, 4), "inner.a.bias": drawn(3), "b.weight": drawn(2, 3), "b.bias": drawn(2)}
    assert weights.load(made, saved(tmp_path, stored)).by == "name"
    np.testing.assert_array_equal(inner.layers[-1].get_weights()[0], stored["inner.a.weight"].T)
    np.testing.assert_array_equal(made.layers[-1].get_weights()[0], stored["b.weight"].T)


def test_own_files(tmp_path: Path) -> None:
    """A whole model with its optimizer's state, or weights alone."""
    first = model()
    first.compile("adam", "mse")
    first.fit(drawn(4, 6, 5, 4), drawn(4, 2), verbose=0)
    first.save(tmp_path / "model.safetensors")
    first.save_weights(tmp_path / "weights.safetensors")
    for name in ("model", "weights"):
        made = model()
        report = weights.load(made, tmp_path / f"{name}.safetensors")
        assert report.complete
        assert bool(report.ignored) == (name == "model")
        assert all(np.array_equal(values(first)[key], array) for key, array in values(made).items())


def test_report(tmp_path: Path) -> None:
    made, path = model(), saved(tmp_path, changed(last__bias=None, more__weight=drawn(2)))
    text = str(weights.compare(made, path))
    lines = text.splitlines()
    assert lines[0] == f"{path}: 12 weights matched by name, 1 missing, 1 of the file's tensors unused, 1 ignored"
    assert "conv/kernel <- conv.weight (6, 2, 3, 2) -> (3, 2, 2, 6)" in [" ".join(line.split()) for line in lines]
    assert lines[-2:] == ["  missing: last/bias (the file has no 'last.bias')", "  unused:  more.weight"]


def test_names_that_a_terminal_would_obey(tmp_path: Path) -> None:
    hostile = "\x1b[2Jmore.weight"
    path = saved(tmp_path, {**changed(last__bias=None), hostile: drawn(2)})
    report = weights.compare(model(), path)
    assert report.unused == [hostile]
    assert "\x1b" not in str(report)
    assert "  unused:  '\\x1b[2Jmore.weight'" in str(report).splitlines()


def test_takes_a_built_model(tmp_path: Path) -> None:
    path = saved(tmp_path, arrays())
    with pytest.raises(TypeError, match="model must be a Model"):
        weights.load(layers.Dense(3), path)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="isn't built"):
        weights.load(Sequential([layers.Dense(3)]), path)
