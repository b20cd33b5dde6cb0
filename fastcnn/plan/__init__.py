"""Plans: graphs lowered to kernels, with memory laid out. Says how things are computed."""

from .passes import fuse_for_prediction, fuse_for_training
from .plan import Plan, PlanStep, inference_plan
from .stages import StagedPlan, cut_at_hosts, prediction_plan
from .training import FlatStore, trainable_with_gradient, training_plan

__all__ = [
    "FlatStore",
    "Plan",
    "PlanStep",
    "StagedPlan",
    "cut_at_hosts",
    "fuse_for_prediction",
    "fuse_for_training",
    "inference_plan",
    "prediction_plan",
    "trainable_with_gradient",
    "training_plan",
]
