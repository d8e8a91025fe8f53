"""The floor of Dagster: assets, checks, jobs, schedules, sensors. Nothing below it imports dagster."""

import warnings

from dagster import BetaWarning, PreviewWarning

# The lock pins the one Dagster whose beta and preview parts are used here: a warning at every start helps nobody.
warnings.filterwarnings("ignore", category=BetaWarning)
warnings.filterwarnings("ignore", category=PreviewWarning)
