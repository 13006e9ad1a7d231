"""The pages below /team."""
import datetime
import importlib.metadata
import json
import pathlib

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

MOMENT = datetime.datetime(2024, 2, 29, 15, 4, 5, tzinfo=datetime.timezone.utc)


class TeamHandler(APIHandler):
    """A page that only those who have the token see."""

    auth_resource = "contents"

    @property
    def root(self):
        return pathlib.Path(self.contents_manager.root_dir)

    def file(self, name):
        path = (self.root / name.strip("/")).resolve()
        if self.root.resolve() not in path.parents or not path.is_file():
            raise web.HTTPError(404, f"there is no file {name!r}")
        return path


class SummaryHandler(TeamHandler):
    """Counts notebooks and cells, in words of a language."""

    @web.authenticated
    @authorized
    def get(self):
        import nbformat
        from babel import Locale, UnknownLocaleError, dates, numbers

        try:
            locale = Locale.parse(self.get_argument("lang", "en"), sep="-")
            zone = dates.get_timezone(self.get_argument("zone", "UTC"))
        except (UnknownLocaleError, ValueError, LookupError) as error:
            raise web.HTTPError(400, str(error)) from error
        cells = 0
        names = sorted(
            path for path in self.root.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts and "drafts" not in path.parts
        )
        for name in names:
            cells += len(nbformat.read(name, as_version=4).cells)
        self.finish(
            json.dumps(
                {
                    "language": locale.get_display_name(locale),
                    "moment": dates.format_datetime(MOMENT, "full", tzinfo=zone, locale=locale),
                    "place": dates.get_timezone_location(zone, locale=locale),
                    "cells": numbers.format_decimal(cells * 1000.5, locale=locale),
                    "money": numbers.format_currency(1234.5, "CHF", locale=locale),
                    "units": [locale.territories.get("CH"), locale.days["format"]["wide"][0]],
                },
                ensure_ascii=False,
            )
        )


class SearchHandler(TeamHandler):
    """Finds words in notebooks."""

    @web.authenticated
    @authorized
    def get(self):
        import nbformat

        word = self.get_argument("q").casefold()
        found = []
        for name in sorted(self.root.rglob("*.ipynb")):
            if ".ipynb_checkpoints" in name.parts or "drafts" in name.parts:
                continue
            for index, cell in enumerate(nbformat.read(name, as_version=4).cells):
                if word in cell.source.casefold():
                    found.append({"path": str(name.relative_to(self.root)), "cell": index, "type": cell.cell_type})
        self.finish(json.dumps({"found": found}))


class HighlightHandler(TeamHandler):
    """Shows a file in colours."""

    @web.authenticated
    @authorized
    def get(self):
        from pygments import highlight
        from pygments.formatters import get_formatter_by_name
        from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
        from pygments.util import ClassNotFound

        path = self.file(self.get_argument("path"))
        lexer = self.get_argument("lexer", None)
        try:
            lexer = get_lexer_by_name(lexer) if lexer else get_lexer_for_filename(path.name)
            formatter = get_formatter_by_name(self.get_argument("as", "html"), style=self.get_argument("style", "default"))
        except ClassNotFound as error:
            raise web.HTTPError(400, str(error)) from error
        text = highlight(path.read_text("utf-8"), lexer, formatter)
        self.finish(text, set_content_type="text/plain; charset=utf-8")


class TableHandler(TeamHandler):
    """Gives a table of the data folder in another format."""

    @web.authenticated
    @authorized
    def get(self, format):
        import pandas

        points = importlib.metadata.entry_points(group="team_hub.tables", name=format)
        if not points:
            raise web.HTTPError(404, f"there is no format {format!r}")
        path = self.file(self.get_argument("path"))
        frame = pandas.read_csv(path, encoding=self.get_argument("charset", "utf-8"))
        table = next(iter(points)).load()(frame)
        self.finish(table.render(), set_content_type=table.content_type)


class RunHandler(TeamHandler):
    """Runs a notebook with parameters, and gives its texts."""

    auth_resource = "kernels"

    @web.authenticated
    @authorized
    async def post(self):
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError

        body = self.get_json_body() or {}
        path = self.file(body.get("path", ""))
        notebook = nbformat.read(path, as_version=4)
        lines = [f"{name} = {value!r}" for name, value in sorted(body.get("parameters", {}).items())]
        if lines:
            place = next(
                (i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])),
                -1,
            )
            notebook.cells.insert(place + 1, nbformat.v4.new_code_cell("\n".join(lines)))
        client = NotebookClient(
            notebook,
            timeout=120,
            kernel_name=body.get("kernel", "python3"),
            resources={"metadata": {"path": str(path.parent)}},
        )
        error = None
        try:
            await client.async_execute()
        except CellExecutionError as failure:
            error = failure.ename
        texts = []
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                text = output.get("text") or output.get("data", {}).get("text/plain")
                if text:
                    texts.append(text)
        self.finish(json.dumps({"error": error, "texts": texts}))


class ValidateHandler(TeamHandler):
    """Reads a notebook of any version, and gives it in the newest."""

    @web.authenticated
    @authorized
    def post(self):
        import nbformat

        text = self.request.body.decode("utf-8")
        try:
            old = nbformat.reader.reads(text)
            nbformat.validate(old)
            before = old.nbformat
            new = nbformat.convert(old, 4)
            nbformat.validate(new)
        except (nbformat.ValidationError, nbformat.reader.NotJSONError, ValueError) as error:
            raise web.HTTPError(400, str(error).splitlines()[0]) from error
        cells = [cell.cell_type for cell in new.cells]
        self.finish(json.dumps({"from": before, "to": [new.nbformat, new.nbformat_minor], "cells": cells}))


def pages(base):
    return [
        (base + "/team/summary", SummaryHandler),
        (base + "/team/search", SearchHandler),
        (base + "/team/highlight", HighlightHandler),
        (base + r"/team/table\.(\w+)", TableHandler),
        (base + "/team/run", RunHandler),
        (base + "/team/validate", ValidateHandler),
    ]
