"""The verbs that training brings to the command line."""

from .simulate_verb import SIMULATE as SIMULATE
from .train_verb import TRAIN as TRAIN
