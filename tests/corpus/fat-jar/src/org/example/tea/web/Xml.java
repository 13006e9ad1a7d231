package org.example.tea.web;

import java.io.StringReader;
import java.io.StringWriter;
import javax.xml.transform.Source;
import javax.xml.transform.TransformerException;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.stream.StreamResult;
import javax.xml.transform.stream.StreamSource;

final class Xml {
    static String transform(String text, String sheet) {
        var in = Xml.class.getResourceAsStream("/static/" + sheet + ".xsl");
        Source source = in == null ? null : new StreamSource(in);
        if (source == null) {
            throw new IllegalArgumentException("no sheet " + sheet);
        }
        try {
            StringWriter out = new StringWriter();
            TransformerFactory.newInstance().newTransformer(source).transform(new StreamSource(new StringReader(text)), new StreamResult(out));
            return out.toString();
        } catch (TransformerException e) {
            throw new IllegalArgumentException("no XML");
        }
    }
}
