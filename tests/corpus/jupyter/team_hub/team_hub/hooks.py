"""What happens when a notebook is saved."""
import os

_exporter = None


def clean_before_save(model, **kwargs):
    """Leaves out the outputs of notebooks below `drafts`."""
    path = kwargs.get("path", "")
    if model["type"] != "notebook" or not path.strip("/").startswith("drafts/"):
        return
    if model["content"]["nbformat"] != 4:
        return
    for cell in model["content"]["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = []
            cell["execution_count"] = None


def script_after_save(model, os_path, contents_manager, **kwargs):
    """Writes a script beside every notebook below `drafts`."""
    global _exporter
    if model["type"] != "notebook" or f"{os.sep}drafts{os.sep}" not in os_path:
        return
    from nbconvert.exporters.script import ScriptExporter

    if _exporter is None:
        _exporter = ScriptExporter(parent=contents_manager)
    base, _ = os.path.splitext(os_path)
    script, resources = _exporter.from_filename(os_path)
    with open(base + resources.get("output_extension", ".txt"), "w", encoding="utf-8") as file:
        file.write(script)
