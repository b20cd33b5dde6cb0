"""The commands' options and their help. Imports nothing heavy: ``--help`` answers at once."""

from __future__ import annotations

import argparse

from . import arguments_detect
from .values import Formatter, positive, share, size, whole

DATA_HELP = """DATA is one of
  cifar10         50,000 + 10,000 colour pictures, 32x32, 10 classes
  fashion_mnist   60,000 + 10,000 pictures of clothes, 28x28, 10 classes
  mnist           60,000 + 10,000 handwritten digits, 28x28, 10 classes
  sample          the small part of Fashion-MNIST that comes with fastcnn
  a folder        with one folder of pictures for each class, or with such
                  folders in train/ and test/; a zip archive of these
Datasets are looked for in $FASTCNN_DATA_DIR, in the system's and the user's
own data folders, and then downloaded.
"""

DESCRIPTION = """Train convolutional networks on the CPU and use them.

Start with:
  fastcnn train                        train on Fashion-MNIST; files go to ./out
  fastcnn predict out/model.safetensors shirt.png
"""


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    from .._version import __version__

    top = argparse.ArgumentParser(
        prog="fastcnn",
        description=DESCRIPTION,
        formatter_class=Formatter,
        epilog="`fastcnn COMMAND --help` explains a command.\n"
        "Exit codes: 0 all well, 1 something failed, 2 wrong usage, 130 interrupted.",
    )
    top.add_argument("--version", action="version", version=f"fastcnn {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    single = [add(commands) for add in (_train, _evaluate, _predict)]
    detect = arguments_detect.add(commands)
    for command in (*single, *detect, _info(commands), _bench(commands)):
        command.set_defaults(usage_of=command)
        general = command.add_argument_group("in general")
        general.add_argument("--threads", type=whole(1), metavar="N", help="threads to use (default: all cores)")
        general.add_argument("--debug", action="store_true", help="show where in the program an error came from")
    return top


def _train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "train",
        help="train the classic CNN on a dataset or on your own pictures",
        description="Train the classic CNN (three convolutions, two dense layers), evaluate it, and leave behind\n"
        "the model, its learning curves and its history.\n\n" + DATA_HELP,
        formatter_class=Formatter,
        epilog="examples:\n"
        "  fastcnn train\n"
        "  fastcnn train sample --epochs 3 --output out/ --report out/report.html\n"
        "  fastcnn train pictures/ --image-size 64 --validation-split 0.2\n\n"
        "Ctrl-C stops early and keeps what was learned until then as model-interrupted.safetensors.",
    )
    command.add_argument("data", nargs="?", default="fashion_mnist", metavar="DATA", help="default: fashion_mnist")
    command.add_argument("--epochs", type=whole(1), default=10, metavar="N", help="passes over the data (10)")
    command.add_argument("--batch-size", type=whole(1), default=32, metavar="N", help="pictures a step (32)")
    command.add_argument("--learning-rate", type=positive, default=0.001, metavar="R", help="Adam's (0.001)")
    command.add_argument("--seed", type=whole(0), metavar="N", help="the same seed, the same model, bit for bit")
    command.add_argument("--output", default="out", metavar="FOLDER", help="where the files go (./out)")
    command.add_argument(
        "--resume",
        action="store_true",
        help="go on with the training that was interrupted or killed in that folder, after its last\n"
        "whole epoch; the other options as they were. The same seed gives the same model as ever",
    )
    command.add_argument(
        "--report", metavar="FILE", help="write an HTML page too: curves, confusions, mistakes, settings (out.html)"
    )
    command.add_argument(
        "--validation-split",
        type=share,
        metavar="S",
        help="keep this share of the training pictures for validation (default: validate on the\n"
        "test pictures; for a folder without test pictures 0.2)",
    )
    command.add_argument("--images", type=whole(1), metavar="N", help="train on the first N pictures only")
    command.add_argument(
        "--image-size",
        type=size,
        metavar="N or HxW",
        help="for a folder: make all pictures this large (default: the first one's size, at most 96)",
    )
    command.add_argument("--gray", action="store_true", help="for a folder: without colours")
    return command


def _evaluate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "evaluate",
        help="measure a trained model on test pictures",
        description="Loss, accuracy, and for each class precision, recall and F1, on DATA's test pictures\n"
        "(all pictures of a folder without train/ and test/).\n\n" + DATA_HELP,
        formatter_class=Formatter,
        epilog="examples:\n  fastcnn evaluate out/model.safetensors\n"
        "  fastcnn evaluate out/model.safetensors more-pictures/",
    )
    command.add_argument("model", metavar="MODEL", help="file that `fastcnn train` or model.save() wrote")
    command.add_argument("data", nargs="?", metavar="DATA", help="default: what the model was trained on")
    command.add_argument("--batch-size", type=whole(1), default=256, metavar="N", help="pictures at a time (256)")
    command.add_argument("--json", action="store_true", help="print the numbers as JSON")
    return command


def _predict(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "predict",
        help="say what is on pictures",
        description="Print the most likely classes of each picture with their probabilities. Pictures may be of any\n"
        "size and format that Pillow reads: they are brought to the model's size and colours.\n"
        "A picture that can't be read is reported, the others are done all the same, and the exit code is 1.",
        formatter_class=Formatter,
        epilog="examples:\n"
        "  fastcnn predict out/model.safetensors shirt.png shoe.jpg\n"
        "  fastcnn predict out/model.safetensors --invert scan.png     (dark on light, for a model of light on dark)",
    )
    command.add_argument("model", metavar="MODEL", help="file that `fastcnn train` or model.save() wrote")
    command.add_argument("images", nargs="+", metavar="IMAGE", help="picture files")
    command.add_argument("--top", type=whole(1), default=3, metavar="N", help="classes to print for each (3)")
    command.add_argument("--invert", action="store_true", help="exchange light and dark first")
    command.add_argument("--json", action="store_true", help="print a line of JSON for each picture")
    return command


def _info(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "info",
        help="what a bug report needs: versions, CPU, instruction set, threads",
        description="Versions, processor, chosen instruction set, threads and compiler: what a bug report needs.",
        formatter_class=Formatter,
    )
    command.add_argument("--json", action="store_true", help="print it as JSON")
    return command


def _bench(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "bench",
        help="measure this machine: training and prediction of the classic CNN",
        description="Training speed and latency of the classic CNN, and single operations against the NumPy\n"
        "reference; against PyTorch and ONNX Runtime too where they are installed. All take turns in\n"
        "one run, with the same number of threads; best and median are shown.",
        formatter_class=Formatter,
        epilog="examples:\n  fastcnn bench --repeats 9 --json > bench.json\n"
        "  fastcnn bench --layers benchmarks/shapes/resnet-18.txt --batch 1 16 --results resnet.json",
    )
    command.add_argument("--repeats", type=whole(1), default=5, metavar="N", help="rounds (5)")
    command.add_argument("--json", action="store_true", help="print the numbers as JSON")
    layers = command.add_argument_group(
        "single layers instead",
        "Convolutions, pools and the rest as the text files say, against PyTorch, ONNX Runtime, OpenVINO and\n"
        "TensorFlow, whichever are installed. All take turns; the best and the median of many calls count.",
    )
    layers.add_argument("--layers", nargs="+", metavar="FILE", help="shapes, as in benchmarks/shapes/*.txt")
    layers.add_argument("--batch", type=whole(1), nargs="+", default=[1, 16, 128], metavar="N", help="(1 16 128)")
    layers.add_argument("--match", default="", metavar="TEXT", help='only shapes with this: "3x3", "backward"')
    layers.add_argument("--seconds", type=positive, default=0.5, metavar="S", help="time for each shape (0.5)")
    layers.add_argument(
        "--call-limit", type=positive, default=2.0, metavar="S", help="leave out what takes longer a call (2)"
    )
    layers.add_argument("--minutes", type=positive, default=1e6, metavar="M", help="stop after so many")
    layers.add_argument(
        "--results",
        metavar="FILE",
        help="JSON file; what is in it already is not measured again, so a run that\nwas stopped goes on where it was",
    )
    layers.add_argument("--again", action="store_true", help="measure what is in that file once more")
    layers.add_argument("--chart", metavar="FILE", help="picture of the ratios: .png, .svg or .pdf")
    return command
