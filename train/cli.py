"""The verbs that training brings to the command line."""

from .simulate_verb import SIMULATE as SIMULATE
from .study_verb import STUDY as STUDY
from .train_verb import TRAIN as TRAIN
