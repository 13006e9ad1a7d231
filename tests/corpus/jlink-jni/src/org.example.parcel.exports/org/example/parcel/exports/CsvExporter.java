package org.example.parcel.exports;

import java.nio.charset.Charset;
import java.nio.charset.CharsetEncoder;
import java.nio.charset.CodingErrorAction;
import java.nio.CharBuffer;
import java.text.NumberFormat;
import java.time.format.DateTimeFormatter;
import java.time.format.FormatStyle;
import java.util.List;
import java.util.Locale;
import org.example.parcel.api.Exporter;
import org.example.parcel.api.Label;

/** Lines of fields, in any set of characters: mainframes of customs offices read EBCDIC. */
public final class CsvExporter implements Exporter {
    @Override
    public String form() {
        return "csv";
    }

    @Override
    public String type() {
        return "text/csv";
    }

    @Override
    public byte[] export(List<Label> labels, Locale locale, String charset) throws Exception {
        NumberFormat numbers = NumberFormat.getNumberInstance(locale);
        DateTimeFormatter dates = DateTimeFormatter.ofLocalizedDate(FormatStyle.MEDIUM).withLocale(locale);
        StringBuilder out = new StringBuilder("code;receiver;place;country;kg;posted\n");
        for (Label label : labels) {
            out.append(String.join(";", label.code(), label.receiver(), label.place(),
                new Locale("", label.country()).getDisplayCountry(locale),
                numbers.format(label.grams() / 1000.0), dates.format(label.posted()))).append('\n');
        }
        CharsetEncoder encoder = Charset.forName(charset).newEncoder()
            .onUnmappableCharacter(CodingErrorAction.REPLACE);
        var bytes = encoder.encode(CharBuffer.wrap(out));
        byte[] array = new byte[bytes.remaining()];
        bytes.get(array);
        return array;
    }
}
