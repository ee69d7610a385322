"""The flows and the command line; a flow reads like its diagram. Importing this package loads no torch."""
