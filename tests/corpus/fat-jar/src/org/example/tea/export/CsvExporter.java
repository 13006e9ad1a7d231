package org.example.tea.export;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.apache.commons.csv.CSVFormat;

public final class CsvExporter implements Exporter {
    public String form() {
        return "csv";
    }

    public String type() {
        return "text/csv";
    }

    public byte[] export(List<Map<String, Object>> rows) throws Exception {
        StringBuilder out = new StringBuilder();
        var printer = CSVFormat.RFC4180.print(out);
        for (var row : rows) {
            printer.printRecord(row.values());
        }
        return out.toString().getBytes(StandardCharsets.UTF_8);
    }
}
