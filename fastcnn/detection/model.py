"""A detector as a model: trained, judged and asked like any other."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import Dataset, DetectionTargets, letterbox
from ..errors import shown, unknown_name
from ..layers.base import Layer
from ..losses import DetectionLoss
from ..metrics import CocoMetrics
from ..models import Model
from ..models.structure import network_from_config
from ..shapes import whole_number
from . import annotated
from .backbones import STRIDES, make_backbone
from .decoding import Selection, decode
from .detections import Detections
from .network import SIZES, check_image_size, detector
from .pictures import pictures

#: What is judged by AP: nearly everything, as the curves of precision over recall have an end for each threshold.
JUDGED = Selection(score_threshold=0.01, iou_threshold=0.5, max_boxes=100)
#: Rows of the targets of an image, where the loss doesn't say.
_MAX_BOXES = 100
#: Of the margins around pictures: that of `pad_to_aspect_ratio`, with which datasets are made.
_FILL = 0.0
#: Pictures of a batch where predict and evaluate are told nothing.
_BATCH = 16


@dataclass(frozen=True)
class _Upward:
    """The name of a value of which more is better, for callbacks that want to know."""

    name: str
    _direction: str = "up"


class DetectionModel(Model):
    """Finds things of several classes in pictures, and where they are: boxes.

    A single-stage detector without anchors: each place of three maps, of strides 8, 16 and 32, says what is there, and
    how far the four sides of its box are (Tian et al., "FCOS", 2019; Ge et al., "YOLOX", 2021). The output is one array
    (n, places, 4 + classes): distances in strides from a place's centre to left, top, right and bottom, and logits.

    Parameters
    ----------
    classes : int or sequence of str
        How many classes there are, or what they are called.
    image_size : int or (int, int)
        Height and width of the images that the network sees, multiples of 32. `predict` brings pictures of any size to
        it, between margins; datasets must give images of this size.
    backbone : str, Model or None
        What the pyramid is built on: a network of `fastcnn.applications` ("ResNet18"), any model of such images that
        has maps of strides 8, 16 and 32, or a residual network that learns well from scratch. A named network is given
        pixels as its ``preprocess_input`` makes them; a Model those of ImageNet, less mean 123.675, 116.28, 103.53 and
        divided by 58.395, 57.12, 57.375.
    size : "small", "medium" or "large"
        Width and depth of pyramid and heads, and of the backbone that is made for None.
    weights : path-like, optional
        A file with the weights of a named backbone; see `fastcnn.weights`.
    name : str, optional

    Attributes
    ----------
    class_names : list of str
    backbone : Model
        ``model.backbone.trainable = False`` before `compile` freezes it.

    Raises
    ------
    ValueError, TypeError
        No classes or equal names, sizes that 32 doesn't divide, an unknown backbone or size, one without such maps.

    Examples
    --------
    >>> model = DetectionModel(["cat", "dog"], image_size=320)  # doctest: +SKIP
    >>> model.compile(optimizer="adamw")  # doctest: +SKIP
    >>> model.fit(train, validation_data=val, epochs=100)  # doctest: +SKIP
    >>> model.predict("picture.jpg")[0].boxes  # doctest: +SKIP
    """

    automatic_base = "detection_model"

    def __init__(
        self,
        classes: int | Sequence[str],
        image_size: Any = (320, 320),
        backbone: str | Model | None = None,
        size: str = "small",
        weights: str | os.PathLike[str] | None = None,
        name: str | None = None,
    ) -> None:
        names = _class_names(classes)
        sides = check_image_size(image_size)
        if size not in SIZES:
            raise unknown_name("size", size, SIZES)
        made, pixels = make_backbone(backbone, weights, size, sides)
        image, output = detector(made, pixels, len(names), sides, SIZES[size])
        super().__init__(image, output, name)
        self._settle(names)

    def _settle(self, names: list[str]) -> None:
        self.class_names = names
        self._judge: CocoMetrics | None = None
        #: Labels, boxes and details of the batch that is judged, where it came with them.
        self._truth: tuple[Any, Any, Any] | None = None
        self._targets: tuple[DetectionLoss, DetectionTargets] | None = None

    # ---- structure

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images that the network sees."""
        height, width = (int(size or 0) for size in self.inputs[0].shape[1:3])
        return height, width

    @property
    def backbone(self) -> Model:
        found = self.get_layer("backbone")
        assert isinstance(found, Model)
        return found

    @property
    def metrics(self) -> list[Any]:
        """What `fit` reports besides the loss; AP and AP50 after each validation."""
        return [*super().metrics, _Upward("AP"), _Upward("AP50")]

    def settings(self) -> dict[str, Any]:
        """What it is besides its layers, as plain data."""
        return {"class_names": list(self.class_names)}

    @classmethod
    def from_network(cls, config: Mapping[str, Any], known: list[Layer]) -> DetectionModel:
        """The detector with the layers and the settings of a configuration, as a model's file has it."""
        if "class_names" not in config.get("settings", {}):
            raise ValueError("a detector's configuration has settings with class_names, this one has none: "
                             "it is that of another model")  # fmt: skip
        inputs, output = network_from_config(config, known)
        made = cls.__new__(cls)
        Model.__init__(made, inputs, output, config["name"], config.get("trainable", True))
        made._settle(_class_names(config["settings"]["class_names"]))
        shape = made.output_shape
        if len(inputs) != 1 or not isinstance(shape, tuple) or shape[2:] != (4 + made.num_classes,):
            raise ValueError(f"a detector of {made.num_classes} classes can't have outputs of shape {shape}")
        return made

    # ---- learning

    def compile(self, optimizer: Any = "adamw", loss: Any = None, *args: Any, **others: Any) -> None:
        """As `Model.compile`; the loss is `fastcnn.losses.DetectionLoss` if not given."""
        if loss is None:
            loss = DetectionLoss(self.image_size, self.num_classes, STRIDES, _MAX_BOXES)
        if isinstance(loss, DetectionLoss) and (loss.image_size, loss.strides) != (self.image_size, STRIDES):
            raise ValueError(f"loss must be of images of {self.image_size} and strides {STRIDES}, as the detector is, "
                             f"received {loss.image_size} and {loss.strides}")  # fmt: skip
        super().compile(optimizer, loss, *args, **others)

    def fit(  # type: ignore[override]
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        **others: Any,
    ) -> Any:
        """Train, as `Model.fit`.

        Parameters
        ----------
        x : Dataset, iterable of batches, or array
            Batches ``(images, labels, boxes)``, as the functions `fastcnn.data.detection_dataset_from_…` make them, of
            images of `image_size`; what is `ignored` by their details is not trained on. Or images (n, height, width,
            3).
        y : (labels, boxes)
            Of images in an array: lists with the class numbers (k,) and the boxes (k, 4) of each.
        validation_data : Dataset, or (images, (labels, boxes))
            After each epoch, or each `validation_freq` epochs, its loss, AP and AP50 are the logs "val_loss", "val_AP"
            and "val_AP50", which `ModelCheckpoint` and others can monitor. Batches are judged as `evaluate` does it.
        batch_size, epochs, verbose, callbacks, validation_split, **others
            As for `Model.fit`.
        """
        self._require_compiled()
        self._check_classes(x)
        self._check_classes(validation_data)
        x, y = self._arrays(x, y)
        if isinstance(validation_data, (tuple, list)) and len(validation_data) in (2, 3):
            validation_data = (*self._arrays(*validation_data[:2]), *validation_data[2:])
        return super().fit(
            x, y, batch_size, epochs, verbose, callbacks, validation_split, validation_data, **others
        )  # fmt: skip

    def train_on_batch(self, x: Any, y: Any = None, *args: Any, **others: Any) -> Any:
        """As `Model.train_on_batch`, with y = (labels, boxes)."""
        self._require_compiled()
        return super().train_on_batch(*self._arrays(x, y), *args, **others)

    def test_on_batch(self, x: Any, y: Any = None, *args: Any, **others: Any) -> Any:
        """As `Model.test_on_batch`, with y = (labels, boxes)."""
        self._require_compiled()
        return super().test_on_batch(*self._arrays(x, y), *args, **others)

    def _check_classes(self, data: Any) -> None:
        """Class 0 of a dataset must be class 0 of the detector, if both have names."""
        names = data.class_names if isinstance(data, Dataset) else None
        if names is None or list(names) == self.class_names:
            return
        if self.class_names == _class_names(self.num_classes) or list(names) == _class_names(len(names)):
            return  # numbers, where nobody said what they are called
        raise ValueError(f"the dataset's classes must be the detector's, {shown(self.class_names)}, received "
                         f"{shown(list(names))}; say class_names=model.class_names where it is made")  # fmt: skip

    def _boxes_taken(self) -> DetectionTargets | None:
        """What makes targets of labels and boxes; None where the loss takes something else."""
        (loss,) = self.objective_losses()
        if not isinstance(loss, DetectionLoss):
            return None
        if self._targets is None or self._targets[0] is not loss:
            self._targets = loss, DetectionTargets(loss.max_boxes or _MAX_BOXES, self.num_classes)
        return self._targets[1]

    def _arrays(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Images in an array, and y = (labels, boxes) as the loss takes it."""
        targets = self._boxes_taken() if isinstance(y, (tuple, list)) and len(y) == 2 else None
        if targets is None:
            return x, y
        annotated.check_images(x, self.image_size)
        return targets(x, *y)

    def _given(self, item: Any) -> Any:
        """A batch (images, labels, boxes[, details]), or (images, (labels, boxes)), as the loss takes it."""
        targets = self._boxes_taken()
        self._truth = None
        if targets is None:
            return item
        images, *rest = item if isinstance(item, (tuple, list)) and item else (item,)
        if len(rest) in (1, 2) and isinstance(rest[0], np.ndarray) and rest[0].ndim == 3:
            return item  # targets already
        if len(rest) == 1 and isinstance(rest[0], (tuple, list)):
            rest = list(rest[0])
        if len(rest) < 2:
            raise ValueError("a detector learns from batches (images, labels, boxes), as detection_dataset_from_voc "
                             "and its kin make them")  # fmt: skip
        annotated.check_images(images, self.image_size)
        taken = targets(images, *rest[:3])
        if self._judge is not None:
            self._truth = rest[0], rest[1], rest[2] if len(rest) > 2 else None
        return taken

    def _step(self, batch: Any, objective: Any, training: bool) -> tuple[float, list[np.ndarray]]:
        loss, predictions = super()._step(batch, objective, training)
        if self._judge is not None and not training:
            found = decode(predictions[0], self.image_size, JUDGED)
            truth = annotated.of_targets(batch.targets[0]) if self._truth is None else self._truth
            annotated.update(self._judge, found, *truth)
        return loss, predictions

    def _evaluate(self, source: Any, listeners: Any) -> dict[str, float]:
        """Loss and AP of a validation."""
        if self._boxes_taken() is None:
            return super()._evaluate(source, listeners)
        self._judge, self._truth = CocoMetrics(self.class_names), None
        try:
            logs = super()._evaluate(source, listeners)
            found = self._judge.result()
        finally:
            self._judge = self._truth = None
        return {**logs, "AP": found["AP"], "AP50": found["AP50"]}

    # ---- judging

    def evaluate(  # type: ignore[override]
        self, x: Any, y: Any = None, batch_size: int | None = None, selection: Selection = JUDGED, verbose: Any = 0
    ) -> dict[str, float]:
        """Judge it as COCO judges detectors.

        Parameters
        ----------
        x, y
            As for `fit`. With a dataset's ``details=True`` it is judged in the pixels of the files, and what is ignored
            there (crowds, difficult things) counts neither way.
        batch_size : int
            Of images in an array.
        selection : Selection
            What is judged of all that it sees.
        verbose
            Nothing is printed; taken since other models' has it.

        Returns
        -------
        dict
            COCO's twelve numbers: "AP", "AP50", … as `CocoMetrics.result` gives them; -1 where there is nothing to
            judge.
        """
        return self.judge(x, y, batch_size, selection).result()

    def judge(self, x: Any, y: Any = None, batch_size: int | None = None, selection: Selection = JUDGED) -> CocoMetrics:
        """The same with all that is known: curves, kinds of errors, numbers of each class; see `CocoMetrics`."""
        self._check_classes(x)
        metrics = CocoMetrics(self.class_names)
        size = _BATCH if batch_size is None else whole_number(batch_size, "batch_size")
        for images, labels, boxes, details in annotated.batches(x, y, size):
            annotated.check_images(images, self.image_size)
            annotated.update(metrics, self._found(images, selection), labels, boxes, details)
        return metrics

    def _found(self, images: Any, selection: Selection) -> list[Detections]:
        return decode(self.predict_on_batch(np.asarray(images, np.float32)), self.image_size, selection)

    # ---- prediction

    def predict(  # type: ignore[override]
        self,
        x: Any,
        batch_size: int | None = None,
        score_threshold: float = 0.25,
        iou_threshold: float = 0.5,
        max_boxes: int = 100,
        verbose: Any = 0,
    ) -> list[Detections]:
        """What is in pictures, and where.

        Parameters
        ----------
        x : path or array, or list of these, or Dataset
            Files, or arrays (height, width, 3) of any size, also grey ones, with values from 0 to 255; an array
            (n, height, width, 3). Of a dataset's batches the first part is taken.
        batch_size : int
            Pictures looked at together; 16 if not given.
        score_threshold, iou_threshold, max_boxes
            What is taken of all that it sees: see `Selection`.
        verbose
            Nothing is printed; taken since other models' has it.

        Returns
        -------
        list of Detections
            Of each picture, in its own pixels.

        Raises
        ------
        PictureError, ValueError
            A file that can't be read as a picture; an array that is none.
        """
        selection = Selection(score_threshold, iou_threshold, max_boxes)
        size = _BATCH if batch_size is None else whole_number(batch_size, "batch_size")
        found: list[Detections] = []
        for batch in annotated.grouped(self._pictures(x), size):
            images = np.empty((len(batch), *self.image_size, 3), np.float32)
            placements = [letterbox(one, self.image_size, _FILL, out=out)[1] for one, out in zip(batch, images)]
            seen = self._found(images, selection)
            found += [one.in_picture(*where) for one, where in zip(seen, zip(placements, [b.shape[:2] for b in batch]))]
        return found

    def _pictures(self, x: Any) -> Iterator[np.ndarray]:
        if not isinstance(x, Dataset):
            yield from pictures(x)
            return
        for element in x:
            yield from pictures(element[0] if isinstance(element, tuple) else element)


def _class_names(classes: Any) -> list[str]:
    if isinstance(classes, str) or not isinstance(classes, (Sequence, np.ndarray)):
        return [str(i) for i in range(whole_number(classes, "classes"))]
    names = [str(name) for name in classes]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"classes must be at least one name, and no name twice, received {shown(names)}")
    return names
