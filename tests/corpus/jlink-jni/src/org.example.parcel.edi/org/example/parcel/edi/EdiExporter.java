package org.example.parcel.edi;

import java.io.IOException;
import java.io.InputStream;
import java.text.MessageFormat;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import org.example.parcel.api.Exporter;
import org.example.parcel.api.Label;

/** Segments as IFTMIN of EDIFACT has them, from a template in the plug-in. */
public final class EdiExporter implements Exporter {
    @Override
    public String form() {
        return "edi";
    }

    @Override
    public String type() {
        return "application/EDIFACT";
    }

    @Override
    public byte[] export(List<Label> labels, Locale locale, String charset) throws IOException {
        Properties segments = new Properties();
        try (InputStream in = EdiExporter.class.getResourceAsStream("segments.properties")) {
            segments.load(in);
        }
        StringBuilder out = new StringBuilder(segments.getProperty("head")).append('\n');
        for (Label label : labels) {
            out.append(new MessageFormat(segments.getProperty("label"), Locale.ROOT).format(new Object[] {
                label.code(), label.receiver().toUpperCase(locale), label.country(), String.valueOf(label.grams())})).append('\n');
        }
        return out.append(MessageFormat.format(segments.getProperty("end"), labels.size())).append('\n').toString().getBytes(charset);
    }
}
