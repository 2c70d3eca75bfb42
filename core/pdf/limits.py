"""Limits of one document; a breach is a PdfProblem with its own sentence."""

MAX_PAGES = 1_200
MAX_DATA = 64 * 2**20
# Address space, most of which typst's threads only reserve; a document of 1,000 labels takes about 320 MB.
CHILD_MEMORY = 3 * 2**30
CHILD_SECONDS = 60
"""Of processor time."""
CHILD_WALL = 180
"""By the clock: on a busy machine a document may wait longer than it works."""
DOTS_PER_MM = 8
"""A thermal printer of 203 dpi; what must be read by a scanner is drawn in whole dots."""
