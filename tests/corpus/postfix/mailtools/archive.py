"""The archive: takes messages by LMTP and keeps them packed, one file for each recipient."""
import os
import time
import zipfile

import mailtools
from mailtools.session import Session


class Archive(Session):
    def known(self, recipient):
        local = recipient.partition("@")[0]
        if not local.isdigit():
            return "550 5.1.1 Boxes of the archive are years"
        return "250 2.1.5 OK" if 1990 <= int(local) <= 2100 else "550 5.1.1 No such year"

    def take(self, data):
        folder = mailtools.config()["archive"]["folder"]
        answers = []
        for recipient in self.recipients:
            path = os.path.join(folder, recipient.partition("@")[0] + ".zip")
            with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as archive:
                name = f"{len(archive.namelist()) + 1}.eml"
                archive.writestr(zipfile.ZipInfo(name, time.gmtime(0x40000000)[:6]), data, zipfile.ZIP_LZMA)
            answers.append(f"250 2.0.0 {name} kept, {len(data)} bytes")
        return answers


def main():
    return Archive("archive.example.org", lmtp=True).serve()
