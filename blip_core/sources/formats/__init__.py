"""How the rows of each format are read, one format a file."""
