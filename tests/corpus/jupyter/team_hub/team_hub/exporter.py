"""Exporters that nbconvert finds by name."""
import os

from nbconvert.exporters import HTMLExporter
from nbconvert.exporters.templateexporter import TemplateExporter
from traitlets import default


class TeamExporter(HTMLExporter):
    """A page in the team's look."""

    export_from_notebook = "Page for the team"

    @default("template_name")
    def _template_name_default(self):
        return "team"

    def default_filters(self):
        yield from super().default_filters()
        yield ("words", lambda text: len(text.split()))
        yield ("rule", lambda text, sign="=": sign * len(text))


class MinutesExporter(TemplateExporter):
    """The headings of a notebook as plain text."""

    export_from_notebook = "Minutes"
    output_mimetype = "text/plain"

    @default("file_extension")
    def _file_extension_default(self):
        return ".txt"

    def from_notebook_node(self, nb, resources=None, **kw):
        lines = []
        for cell in nb.cells:
            if cell.cell_type == "markdown":
                lines += [line for line in cell.source.splitlines() if line.startswith("#")]
        resources = self._init_resources(resources)
        resources["output_extension"] = self.file_extension
        return os.linesep.join(lines) + os.linesep, resources
