"""The options of ``fastcnn detect``. Imports nothing heavy."""

from __future__ import annotations

import argparse
from typing import Any

from .values import Formatter, fraction, positive, share, size, whole

_DATA = """DATA is a folder or zip archive of pictures with boxes, or the listing itself:
  VOC     JPEGImages/, Annotations/*.xml; ImageSets/Main/train.txt, val.txt, test.txt
  COCO    a .json file, or a folder with one for each part: annotations/instances_train.json
  YOLO    images/ and labels/*.txt, with classes.txt; train/, val/ and test/ in or above them
  CSV     a .csv file, or a folder with train.csv, val.csv, test.csv
Which of them it is is found out from what is there, or said by --format.
"""
_FORMATS = ("voc", "coco", "yolo", "csv")


def add(commands: Any) -> list[argparse.ArgumentParser]:
    """The command and its own commands, which are returned."""
    command = commands.add_parser(
        "detect",
        help="find things in pictures: train a detector, judge it, use it",
        description="Find things of several classes in pictures, and the boxes around them.",
        formatter_class=Formatter,
        epilog="examples:\n"
        "  fastcnn detect train blood.zip --epochs 150\n"
        "  fastcnn detect evaluate out/model.safetensors blood.zip\n"
        "  fastcnn detect predict out/model.safetensors pictures/ --output found/\n\n"
        "`fastcnn detect COMMAND --help` explains a command.",
    )
    actions = command.add_subparsers(dest="action", metavar="COMMAND", required=True)
    return [_train(actions), _evaluate(actions), _predict(actions)]


def _train(actions: Any) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = actions.add_parser(
        "train",
        help="train a detector on pictures with boxes",
        description="Train a detector, keep the best one by AP at IoU 0.5 on the validation pictures, judge it as\n"
        "COCO does, and leave behind the model, its learning curves, its history and its numbers.\n\n" + _DATA,
        formatter_class=Formatter,
        epilog="examples:\n"
        "  fastcnn detect train blood.zip --epochs 150 --seed 1\n"
        "  fastcnn detect train coco/ --backbone ResNet18 --weights resnet18.pth --image-size 416\n\n"
        "Ctrl-C stops early; --resume goes on after the last whole epoch.",
    )
    command.add_argument("data", metavar="DATA")
    _data_options(command)
    command.add_argument("--epochs", type=whole(1), default=100, metavar="N", help="passes over the data (100)")
    command.add_argument("--batch-size", type=whole(1), default=8, metavar="N", help="pictures a step (8)")
    command.add_argument("--learning-rate", type=positive, default=0.001, metavar="R", help="AdamW's highest (0.001)")
    command.add_argument(
        "--image-size", type=size, default=(320, 320), metavar="N or HxW", help="multiples of 32 (320)"
    )
    command.add_argument("--size", choices=("small", "medium", "large"), default="small", help="the network's (small)")
    command.add_argument("--backbone", metavar="NAME", help="a network of fastcnn.applications: ResNet18, ...")
    command.add_argument("--weights", metavar="FILE", help="weights of that network, as others trained it")
    command.add_argument("--freeze", action="store_true", help="leave the backbone as it is")
    command.add_argument("--no-augmentation", action="store_true", help="show pictures as they are")
    command.add_argument("--seed", type=whole(0), metavar="N", help="the same seed, the same model, bit for bit")
    command.add_argument("--output", default="out", metavar="FOLDER", help="where the files go (./out)")
    command.add_argument("--resume", action="store_true", help="go on with the training that was interrupted there")
    command.add_argument(
        "--validation-split",
        type=share,
        metavar="S",
        help="keep this share of the training pictures for validation (default: the validation\n"
        "pictures that DATA brings; 0.2 where it brings none)",
    )
    command.add_argument(
        "--validation-every", type=whole(1), default=1, metavar="N", help="judge after each N epochs (1), and the last"
    )
    return command


def _evaluate(actions: Any) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = actions.add_parser(
        "evaluate",
        help="judge a detector as COCO does",
        description="COCO's twelve numbers and those of each class, on DATA's test pictures, else on its validation\n"
        "pictures, else on all.\n\n" + _DATA,
        formatter_class=Formatter,
        epilog="examples:\n"
        "  fastcnn detect evaluate out/model.safetensors blood.zip\n"
        "  fastcnn detect evaluate out/model.safetensors coco/ --set val --output judged/",
    )
    command.add_argument("model", metavar="MODEL", help="file that `fastcnn detect train` or model.save() wrote")
    command.add_argument("data", metavar="DATA")
    _data_options(command)
    command.add_argument("--set", choices=("train", "val", "test", "all"), metavar="PART", help="train, val, test, all")
    command.add_argument("--batch-size", type=whole(1), default=16, metavar="N", help="pictures at a time (16)")
    command.add_argument(
        "--score-threshold", type=fraction, default=0.01, metavar="P", help="the least score that is judged (0.01)"
    )
    command.add_argument("--iou-threshold", type=fraction, default=0.5, metavar="U", help=_IOU + " (0.5)")
    command.add_argument("--max-boxes", type=whole(1), default=100, metavar="N", help="boxes of a picture (100)")
    command.add_argument("--json", action="store_true", help="print the numbers as JSON")
    command.add_argument(
        "--output", metavar="FOLDER", help="write there: the numbers, COCO's two files, curves and kinds of mistakes"
    )
    return command


_IOU = "of boxes of a class that share more than this part of their union, the best is kept"


def _predict(actions: Any) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = actions.add_parser(
        "predict",
        help="find things in pictures",
        description="Find things in pictures of any size, and write these with the boxes drawn into them, and all\n"
        "boxes as JSON in COCO's results format. A picture that can't be read is reported, the others are done\n"
        "all the same, and the exit code is 1.",
        formatter_class=Formatter,
        epilog="examples:\n"
        "  fastcnn detect predict out/model.safetensors cells.jpg\n"
        "  fastcnn detect predict out/model.safetensors pictures/ 'more/*.png' --score-threshold 0.5\n"
        "  fastcnn detect predict centerface.onnx --decoder centerface people.jpg",
    )
    command.add_argument("model", metavar="MODEL", help="file that `fastcnn detect train` or model.save() wrote")
    command.add_argument("images", nargs="+", metavar="IMAGE", help="picture files, folders of them, patterns")
    command.add_argument(
        "--decoder", choices=("centerface", "yolox"), help="MODEL is an ONNX file, of a network of this kind"
    )
    command.add_argument("--output", default="found", metavar="FOLDER", help="where the files go (./found)")
    command.add_argument("--score-threshold", type=fraction, default=0.25, metavar="P", help="the least score (0.25)")
    command.add_argument("--iou-threshold", type=fraction, default=0.5, metavar="U", help=_IOU + " (0.5)")
    command.add_argument("--max-boxes", type=whole(1), default=100, metavar="N", help="boxes of a picture (100)")
    command.add_argument("--no-drawing", action="store_true", help="only the JSON")
    return command


def _data_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--format", choices=_FORMATS, metavar="FORMAT", help="voc, coco, yolo or csv")
    command.add_argument(
        "--images", metavar="FOLDER", help="where the pictures are that a COCO or CSV listing names (beside it)"
    )
    command.add_argument(
        "--strict", action="store_true", help="anything wrong in the listing is an error (default: left out and said)"
    )
