"""Whether transformers 4 opens what we merge: `make test-transformers4`."""
