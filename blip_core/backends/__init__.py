"""Adapters behind the ports: real models, models behind a server, scripted doubles."""
