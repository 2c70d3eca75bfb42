"""Columns of the lists of payments: the record that a row is read into, the cells, and what goes into the file."""
