package org.example.parcel.exports;

import java.net.URI;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.example.parcel.api.Exporter;
import org.example.parcel.api.Label;

/** An archive, written and listed by the file system of ZIP. */
public final class ZipExporter implements Exporter {
    @Override
    public String form() {
        return "zip";
    }

    @Override
    public String type() {
        return "text/plain";
    }

    @Override
    public byte[] export(List<Label> labels, Locale locale, String charset) throws Exception {
        Path file = Files.createTempFile("labels", ".zip");
        Files.delete(file);
        URI uri = URI.create("jar:" + file.toUri());
        try (FileSystem zip = FileSystems.newFileSystem(uri, Map.of("create", "true", "enablePosixFileAttributes", "true"))) {
            for (Label label : labels) {
                Path folder = Files.createDirectories(zip.getPath("/" + label.country()));
                Path entry = folder.resolve(label.code() + ".txt");
                Files.writeString(entry, label.receiver() + "\n" + label.place() + "\n");
                Files.setLastModifiedTime(entry, FileTime.from(Instant.EPOCH));
            }
        }
        try (FileSystem zip = FileSystems.newFileSystem(uri, Map.of());
            var paths = Files.walk(zip.getPath("/"))) {
            String list = paths.filter(Files::isRegularFile).sorted().map(path -> {
                try {
                    return path + " " + Files.size(path) + " " + Files.probeContentType(path) + " " + Files.getAttribute(path, "zip:compressedSize");
                } catch (java.io.IOException error) {
                    throw new java.io.UncheckedIOException(error);
                }
            }).collect(Collectors.joining("\n", "archive of " + zip.provider().getScheme() + "\n", "\n"));
            return list.getBytes(charset);
        } finally {
            Files.deleteIfExists(file);
        }
    }
}
