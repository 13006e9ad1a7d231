package org.example.parcel.exports;

import java.io.ByteArrayOutputStream;
import java.util.List;
import java.util.Locale;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamWriter;
import org.example.parcel.api.Exporter;
import org.example.parcel.api.Label;

/** XML by streams. */
public final class XmlExporter implements Exporter {
    @Override
    public String form() {
        return "xml";
    }

    @Override
    public String type() {
        return "application/xml";
    }

    @Override
    public byte[] export(List<Label> labels, Locale locale, String charset) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        XMLStreamWriter xml = XMLOutputFactory.newFactory().createXMLStreamWriter(out, charset);
        xml.writeStartDocument(charset, "1.0");
        xml.writeStartElement("labels");
        for (Label label : labels) {
            xml.writeStartElement("label");
            xml.writeAttribute("id", Integer.toString(label.id()));
            xml.writeAttribute("code", label.code());
            xml.writeAttribute("posted", label.posted().toString());
            String[][] fields = {{"receiver", label.receiver()}, {"place", label.place()}, {"country", label.country()},
                {"grams", Integer.toString(label.grams())}, {"contents", label.contents()}, {"value", Long.toString(label.value())}};
            for (String[] field : fields) {
                xml.writeStartElement(field[0]);
                xml.writeCharacters(field[1]);
                xml.writeEndElement();
            }
            xml.writeEndElement();
        }
        xml.writeEndElement();
        xml.writeEndDocument();
        xml.close();
        return out.toByteArray();
    }
}
