package org.example.parcel;

import java.text.MessageFormat;
import java.util.List;
import java.util.Locale;
import java.util.ResourceBundle;

/** Messages of a language. */
public record Words(Locale locale, ResourceBundle bundle) {
    private static final List<Locale> KNOWN = List.of("en", "de", "fr", "ja", "ar", "th").stream().map(Locale::forLanguageTag).toList();

    public static Words of(String range) {
        Locale locale = Locale.ENGLISH;
        if (range != null && !range.isBlank()) {
            List<Locale.LanguageRange> ranges = Locale.LanguageRange.parse(range);
            Locale known = Locale.lookup(ranges, KNOWN);
            Locale first = Locale.forLanguageTag(ranges.get(0).getRange());
            locale = known == null ? Locale.ENGLISH : known.getLanguage().equals(first.getLanguage()) ? first : known;
        }
        return new Words(locale, ResourceBundle.getBundle("org.example.parcel.i18n.messages", locale));
    }

    public String say(String key, Object... values) {
        return new MessageFormat(bundle.getString(key), locale).format(values);
    }
}
