"""Sweeps: many trainings from one command, planned, launched, watched and summed up."""

from imprint.composing import Composer
from imprint.launching.forecast import forecast
from imprint.launching.launch import run_grid
from imprint.launching.plan import sweep_points

__all__ = ["Composer", "forecast", "run_grid", "sweep_points"]
