"""The commands of `foundry`, one a file; none imports torch, Prefect or MLflow before it has to."""
