"""What shortens the pocket pipeline to a minute or two: the values of `--set`."""

SHORT = (
    "scenes.count=30",
    "labels.per_picture=1",
    "finetune.epochs=1",
    "evaluation.limit=120",
    "inference.circular=false",
    "inference.ablations=[]",
    "findings=[]",
)
