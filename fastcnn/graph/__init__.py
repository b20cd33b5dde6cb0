"""The graph: values, nodes, variables and gradients. Says what is computed, never how."""

from . import ops  # noqa: F401
from .autodiff import gradients
from .values import Node, Op, Spec, Value, apply, constant, emit, rebuild, register, topological
from .variable import Variable, clock

__all__ = [
    "Node",
    "Op",
    "Spec",
    "Value",
    "Variable",
    "apply",
    "clock",
    "constant",
    "emit",
    "gradients",
    "rebuild",
    "register",
    "topological",
]
