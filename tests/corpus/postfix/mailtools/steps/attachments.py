"""Notes kind and size of what is attached, and looks into archives."""
import hashlib
import io

from mailtools.steps import Refused

FORBIDDEN = (".exe", ".scr", ".bat")


def zip_names(data):
    import zipfile
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.namelist()


def tar_names(data):
    import tarfile
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getnames()


READERS = {".zip": zip_names, ".tar": tar_names, ".tgz": tar_names, ".tar.gz": tar_names, ".tar.bz2": tar_names, ".tar.xz": tar_names}


def run(message, context):
    for part in list(message.iter_attachments()):
        name = part.get_filename() or "unnamed"
        data = part.get_payload(decode=True) or b""
        digest = hashlib.blake2b(data, digest_size=8).hexdigest()
        message["X-Attachment"] = f"{name.encode('ascii', 'replace').decode()}; size={len(data)}; digest={digest}"
        for suffix, names in READERS.items():
            if name.lower().endswith(suffix):
                inside = names(data)
                bad = [inner for inner in inside if inner.lower().endswith(FORBIDDEN)]
                if bad:
                    raise Refused(f"5.7.1 {name} holds {bad[0]}")
                message["X-Archive"] = f"{len(inside)} files, first {inside[0]}"
                break
