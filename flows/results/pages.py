"""What the pages of MLflow and Prefect show of a run that is over: notes, artefacts, ways between."""

from prefect.artifacts import create_link_artifact, create_markdown_artifact

from blip_core.reporting import Ladder, Summary
from blip_core.reporting.drawings import LADDER
from blip_core.reporting.findings import finding_sentences
from blip_core.reporting.ladder_table import champion_words
from blip_core.reporting.markdown import adapter_words, dataset_words, run_note, run_page
from blip_core.wiring.servers import page_of
from flows.recording import Recorder, flow_run_page

REPORT = "report.html"


def show_results(recorder: Recorder, summary: Summary, ladder: Ladder, note: str) -> None:
    """Show what a run made in its note in MLflow, in an artefact and the log of its Prefect run."""
    report = {"The whole comparison on one page": report_page(recorder)} if summary.report else {}
    recorder.run.note(run_note(summary, ladder, report | to_prefect(recorder), note))
    picture = recorder.run.file_address(mlflow_server(recorder), LADDER)
    shown = run_page(summary, ladder, report, note, picture)
    create_markdown_artifact(shown, key="results", description=ladder.verdict or "What this run made")
    link_mlflow(recorder)
    for line in result_lines(summary, ladder):
        recorder.page.say(line)
    say_where_recorded(recorder)


def result_lines(summary: Summary, ladder: Ladder) -> list[str]:
    """What a run made, a line each: its verdict, and where everything lies."""
    lines = [f"verdict: {ladder.verdict}"] if ladder.verdict else []
    lines += finding_sentences(summary.findings)
    lines += [champion_words(summary.champion)] if summary.champion else []
    if summary.dataset:
        lines.append(f"dataset: {summary.dataset.path} ({dataset_words(summary.dataset)})")
    if summary.adapter:
        told = adapter_words(summary.adapter)
        lines.append(f"adapter: {summary.adapter.path}{f' ({told})' if told else ''}")
    return lines + ([f"report: {summary.report}"] if summary.report else [])


def say_where_recorded(recorder: Recorder) -> None:
    """Name the run's address in MLflow in the log, or say that MLflow has not heard of it yet."""
    page = recorder.run.page(mlflow_server(recorder))
    if recorder.tracking_uri:
        recorder.page.say(f"MLflow: {page or 'did not answer; what it missed is sent with the next run'}")


def link_mlflow(recorder: Recorder) -> None:
    """Lead from the page of the flow run to the run in MLflow, once MLflow has heard of it."""
    page = recorder.run.page(mlflow_server(recorder))
    if page:
        text = "Open this run in MLflow"
        card = f"[{text}]({page})"  # Prefect's page shows the description first
        create_link_artifact(page, key="mlflow-run", link_text=text, description=card)


def to_prefect(recorder: Recorder) -> dict[str, str]:
    """The way to the run's log on Prefect's page."""
    return {"The log of this run in Prefect": flow_run_page(recorder.place)}


def report_page(recorder: Recorder) -> str:
    """Address of the page that shows the report in MLflow; empty while MLflow does not know the run."""
    return recorder.run.file_page(mlflow_server(recorder), REPORT)


def mlflow_server(recorder: Recorder) -> str:
    """Where MLflow's page of this run is: the server that records it, else the one of this machine."""
    recorded_at = recorder.tracking_uri
    return recorded_at if recorded_at.startswith("http") else page_of(recorder.place, "mlflow")
