"""Servers, worker and pages on this machine alone."""
