package org.example.parcel.task;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.text.BreakIterator;
import java.text.Collator;
import java.text.Normalizer;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** Receivers sorted as a language wants it. */
public final class SortTask implements Task {
    @Override
    public int run(List<String> arguments) {
        Locale locale = Locale.forLanguageTag(arguments.isEmpty() ? "en" : arguments.get(0));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        Collator collator = Collator.getInstance(locale);
        Stream<String> names = arguments.size() > 1 ? arguments.stream().skip(1) : Stream.of("Zebra", "Åsa", "Ärla", "Adam", "Öl", "zoo", "Étienne", "Eva");
        names.sorted(collator).forEach(name -> {
            BreakIterator words = BreakIterator.getWordInstance(locale);
            words.setText(name);
            int count = 0;
            while (words.next() != BreakIterator.DONE) {
                count++;
            }
            out.println(name + " " + count + " " + Normalizer.normalize(name, Normalizer.Form.NFKD).length());
        });
        return 0;
    }
}
