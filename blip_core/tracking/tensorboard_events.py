"""A run's journal as TensorBoard's event files.

Written by TensorBoard's own writer, which knows no torch: torch's, and tensorboardX, load it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from blip_core.tracking.journal import Entry
from blip_core.tracking.mirrored_pictures import picture_name
from blip_core.tracking.pages import NOTE_TAG

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary

FLUSH_S = 5


class EventFiles:
    """Writes entries of one run to event files of a folder.

    Metrics become scalars with their steps and times; params, tags and the note become texts, of which the
    last holds all that was known; figures and contact sheets become images, as they are.

    Args:
        folder: of the run; what is in it is not looked at.

    Raises:
        ImportError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._writer = EventFileWriter(str(folder), flush_secs=FLUSH_S)
        self._told: dict[str, dict[str, str]] = {"params": {}, "tags": {}}

    def write(self, entry: Entry, picture: Path | None = None) -> None:
        """Write an entry, with the picture that it recorded; what TensorBoard cannot show is passed over."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        if picture is not None:
            self._add(_image(picture_name(entry), picture), entry.time_ms, entry.number)
        elif entry.kind == "metrics":
            scalars = [
                Summary.Value(tag=tag, simple_value=value) for tag, value in entry.data["values"].items()
            ]
            self._add(Summary(value=scalars), entry.time_ms, entry.data["step"])
        elif entry.kind in self._told:
            values = dict(entry.data["values"])
            note = values.pop(NOTE_TAG, "")
            if note:
                self._add(_text("note", note), entry.time_ms, entry.number)
            if values:
                self._told[entry.kind] |= values
                table = _text(entry.kind, _table(self._told[entry.kind]))
                self._add(table, entry.time_ms, entry.number)

    def close(self) -> None:
        """Wait until everything is written."""
        self._writer.close()

    def _add(self, summary: "Summary", time_ms: int, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.add_event(Event(wall_time=time_ms / 1000, step=step, summary=summary))


def _text(tag: str, markdown: str) -> "Summary":
    """A summary as the plug-in for texts reads it."""
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.plugins.text.plugin_data_pb2 import TextPluginData

    plugin = SummaryMetadata.PluginData(
        plugin_name="text", content=TextPluginData(version=0).SerializeToString()
    )
    tensor = TensorProto(dtype="DT_STRING", string_val=[markdown.encode()])
    metadata = SummaryMetadata(plugin_data=plugin)
    return Summary(value=[Summary.Value(tag=f"{tag}/text_summary", metadata=metadata, tensor=tensor)])


def _image(tag: str, path: Path) -> "Summary":
    """A picture, its file unchanged."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    with Image.open(path, formats=("PNG", "JPEG")) as picture:
        width, height, channels = *picture.size, len(picture.getbands())
    shown = Summary.Image(
        height=height, width=width, colorspace=channels, encoded_image_string=path.read_bytes()
    )
    return Summary(value=[Summary.Value(tag=tag, image=shown)])


def _table(values: dict[str, str]) -> str:
    rows = (f"| {name} | {_cell(value)} |" for name, value in sorted(values.items()))
    return "\n".join(["| name | value |", "|---|---|", *rows])


def _cell(value: str) -> str:
    return " ".join(value.replace("|", "\\|").split())
