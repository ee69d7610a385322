-- Beside the database that the image makes for Prefect, the one of MLflow. Run once, on an empty volume.
CREATE DATABASE mlflow OWNER foundry;
