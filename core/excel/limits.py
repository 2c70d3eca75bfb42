"""Limits of an uploaded file; a breach is a FileProblem with its own sentence (ux.md 3.3, dependencies.md 7.3)."""

MAX_BYTES = 20 * 2**20
MAX_ENTRIES = 1_000
MAX_UNPACKED = 200 * 2**20
# Honest sheets of repeated text reach 40 and more, runs of zero bytes 1,000. Small parts may be as dense as they like.
MAX_RATIO = 100
RATIO_FREE = 2 * 2**20
MAX_ROWS = 50_000
MAX_COLUMNS = 200
MAX_MERGED = 200_000
# Shared strings let a small file repeat one long text in every cell; this bounds what the child hands back.
MAX_TEXT = 64_000_000

CHILD_MEMORY = 2**30
CHILD_SECONDS = 60
