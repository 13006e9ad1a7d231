"""Formats of tables, found by entry points."""
import io


class Table:
    """A table of the data folder in another format."""

    content_type = "text/plain; charset=utf-8"

    def __init__(self, frame):
        self.frame = frame

    def render(self):
        raise NotImplementedError


class Csv(Table):
    content_type = "text/csv; charset=utf-8"

    def render(self):
        return self.frame.to_csv(index=False, sep=";", decimal=",").encode()


class Xlsx(Table):
    content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def render(self):
        out = io.BytesIO()
        self.frame.to_excel(out, index=False, sheet_name="Table")
        return out.getvalue()


class Latex(Table):
    content_type = "application/x-latex; charset=utf-8"

    def render(self):
        return self.frame.to_latex(index=False, float_format="%.2f").encode()


class Xml(Table):
    content_type = "application/xml; charset=utf-8"

    def render(self):
        return self.frame.to_xml(index=False, parser="etree")
