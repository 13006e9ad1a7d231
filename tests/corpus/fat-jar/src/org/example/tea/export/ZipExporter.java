package org.example.tea.export;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

public final class ZipExporter implements Exporter {
    public String form() {
        return "zip";
    }

    public String type() {
        return "application/zip";
    }

    public byte[] export(List<Map<String, Object>> rows) throws Exception {
        var bytes = new ByteArrayOutputStream();
        try (var zip = new ZipOutputStream(bytes)) {
            for (var row : rows) {
                var entry = new ZipEntry(row.get("id") + ".json");
                entry.setTime(1700000000000L);
                zip.putNextEntry(entry);
                zip.write(new ObjectMapper().writeValueAsBytes(row));
            }
        }
        return bytes.toByteArray();
    }
}
