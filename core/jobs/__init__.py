"""Jobs: preview, run, undo and files of bulk acts, uploads and exports.

A job is a row with one item per target; whoever holds its lease works on it in chunks, each one transaction. The
process may die at any point: the lease runs out and another one goes on with the items that have no verdict yet.
"""
