"""Ranking as a pure library: arrays in, ranked lists out."""

import os

# implicit runs its own OpenMP threads; BLAS threads on top of them make one call ten times slower.
# The variables only count when they are set before numpy is first imported.
for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
