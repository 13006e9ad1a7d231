package org.example.tea.export;

import java.io.ByteArrayOutputStream;
import java.util.List;
import java.util.Map;
import javax.xml.stream.XMLOutputFactory;

public final class XmlExporter implements Exporter {
    public String form() {
        return "xml";
    }

    public String type() {
        return "text/xml";
    }

    public byte[] export(List<Map<String, Object>> rows) throws Exception {
        var bytes = new ByteArrayOutputStream();
        var out = XMLOutputFactory.newFactory().createXMLStreamWriter(bytes, "UTF-8");
        out.writeStartDocument();
        out.writeStartElement("items");
        for (var row : rows) {
            out.writeStartElement("item");
            for (var field : row.entrySet()) {
                out.writeAttribute(field.getKey(), String.valueOf(field.getValue()));
            }
            out.writeEndElement();
        }
        out.writeEndElement();
        out.close();
        return bytes.toByteArray();
    }
}
