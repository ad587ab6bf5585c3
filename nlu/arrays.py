"""The kind of array that models and encoder hand to each other."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
