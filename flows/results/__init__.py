"""What a finished run leaves: files, runs in MLflow, artefacts in Prefect, a summary."""
