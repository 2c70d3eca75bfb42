"""Contents of single things, finished for their templates: a deposit, a notice, a problem, a PG account."""
