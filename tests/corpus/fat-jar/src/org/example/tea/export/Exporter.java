package org.example.tea.export;

import java.util.List;
import java.util.Map;

/** A form of the list of items, found by its name among services. */
public interface Exporter {
    String form();

    String type();

    byte[] export(List<Map<String, Object>> rows) throws Exception;
}
