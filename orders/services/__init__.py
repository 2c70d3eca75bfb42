"""What can be done to orders; every service takes a set, locks it, and answers with a verdict per row."""
