"""The one composition root: from a recipe and the environment to stores, trackers and models.

Environment variables are read here and nowhere else:

    FOUNDRY_HOME          where everything rests; ~/.blip-foundry by default
    FOUNDRY_MODELS        snapshots of hub checkpoints, as owner/name; HOME/models by default
    HF_HOME, HF_HUB_CACHE where the hub's own tools keep what they fetched: linked, not fetched again
    HF_TOKEN              a login for gated checkpoints; goes to the hub alone
    FOUNDRY_MLFLOW_DATABASE, FOUNDRY_PREFECT_DATABASE
                          PostgreSQL databases of both servers; by default files below the home
    MLFLOW_TRACKING_URI   another MLflow than the database below the home
    PREFECT_API_URL       another Prefect server than the embedded one
    FOUNDRY_SERVE_KEY     the key that requests to `foundry serve` bear; needed where other machines reach it
    RAY_ADDRESS           a Ray cluster that works shards where device.executor is ray, as HOST:PORT
    key_variable          of a model behind a server: the one that the recipe names holds its key
"""

from blip_core.wiring.annotating import (
    judging_identity,
    judging_models,
    loads_models,
    step_identity,
    step_models,
)
from blip_core.wiring.asking import as_answering, asked_as, kind_for, table_of
from blip_core.wiring.checkpoints import check_checkpoints, checkpoint_identity, locate_checkpoint, pinned
from blip_core.wiring.environment import (
    HEARTBEAT_SECONDS,
    git_commit,
    go_online,
    hub_cache,
    library_environment,
    prefect_api_url,
    prepare_environment,
    use_prefect_api,
)
from blip_core.wiring.evaluation import evaluation_answers, evaluation_examples, evaluation_identity
from blip_core.wiring.gates import gate_identities, gate_model_identity, gate_models
from blip_core.wiring.generators import (
    build_labeller,
    build_painter,
    build_writer,
    labeller_identity,
    painter_identity,
    picture_settings,
    writer_identity,
)
from blip_core.wiring.places import (
    DEFAULT_HOME,
    MLFLOW_DATABASE,
    PREFECT_DATABASE,
    PREFECT_FILE,
    Workplace,
    store_at,
    workplace,
)
from blip_core.wiring.probes import probed_rows, probes_identity, since_the_base
from blip_core.wiring.readiness import check_can_run, check_ready
from blip_core.wiring.served import ask_server, forget_answers
from blip_core.wiring.sheets import asking_sheet, sheet_rows
from blip_core.wiring.tuning import load_base, tuning_job, vision_states
from blip_core.wiring.variants import (
    adapter_folder,
    adapter_identity,
    asking,
    connect_served,
    inference_settings,
    load_libraries,
    load_reader,
    load_variant,
    server_facts,
    server_key,
    variant_identity,
    variant_states,
)

__all__ = [
    "DEFAULT_HOME",
    "HEARTBEAT_SECONDS",
    "MLFLOW_DATABASE",
    "PREFECT_DATABASE",
    "PREFECT_FILE",
    "Workplace",
    "adapter_folder",
    "adapter_identity",
    "as_answering",
    "ask_server",
    "asked_as",
    "asking",
    "asking_sheet",
    "build_labeller",
    "build_painter",
    "build_writer",
    "check_can_run",
    "check_checkpoints",
    "check_ready",
    "checkpoint_identity",
    "connect_served",
    "evaluation_answers",
    "evaluation_examples",
    "evaluation_identity",
    "forget_answers",
    "gate_identities",
    "gate_model_identity",
    "gate_models",
    "git_commit",
    "go_online",
    "hub_cache",
    "inference_settings",
    "judging_identity",
    "judging_models",
    "kind_for",
    "labeller_identity",
    "library_environment",
    "load_base",
    "load_libraries",
    "load_reader",
    "load_variant",
    "loads_models",
    "locate_checkpoint",
    "painter_identity",
    "picture_settings",
    "pinned",
    "prefect_api_url",
    "prepare_environment",
    "probed_rows",
    "probes_identity",
    "server_facts",
    "server_key",
    "sheet_rows",
    "since_the_base",
    "step_identity",
    "step_models",
    "store_at",
    "table_of",
    "tuning_job",
    "use_prefect_api",
    "variant_identity",
    "variant_states",
    "vision_states",
    "workplace",
    "writer_identity",
]
