# A package, so that `python -m tests...` never finds what some library left in site-packages.
