"""Prints the parts of a workbook or archive that are read from standard input."""
import io, sys, zipfile

book = zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read()))
for name in sorted(book.namelist()):
    print(name, len(book.read(name)))
for name in sys.argv[1:]:
    print(book.read(name).decode())
