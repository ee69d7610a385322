"""Datasets that grow: how far, what came of it, and who is told."""
