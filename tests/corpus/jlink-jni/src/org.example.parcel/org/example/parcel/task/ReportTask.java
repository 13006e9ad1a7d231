package org.example.parcel.task;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.text.NumberFormat;
import java.time.chrono.Chronology;
import java.time.format.DateTimeFormatter;
import java.time.format.FormatStyle;
import java.util.Currency;
import java.util.List;
import org.example.parcel.Store;
import org.example.parcel.Words;
import org.example.parcel.api.Label;

/** A report in a language. */
public final class ReportTask implements Task {
    @Override
    public int run(List<String> arguments) throws Exception {
        Words words = Words.of(arguments.isEmpty() ? "en" : arguments.get(0));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        NumberFormat money = NumberFormat.getCurrencyInstance(words.locale());
        money.setCurrency(Currency.getInstance("EUR"));
        DateTimeFormatter dates = DateTimeFormatter.ofLocalizedDate(FormatStyle.FULL).withLocale(words.locale())
            .withChronology(Chronology.ofLocale(words.locale()));
        try (Store store = new Store()) {
            List<Label> labels = store.labels();
            out.println(words.say("title"));
            out.println(words.say("labels", labels.size()));
            for (Label label : labels) {
                out.println(label.code() + "  " + dates.format(label.posted()) + "  " + money.format(label.value() / 100.0)
                    + "  " + new java.util.Locale("", label.country()).getDisplayCountry(words.locale()));
            }
        }
        return 0;
    }
}
