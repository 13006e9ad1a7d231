package org.example.parcel.languages;

import java.util.Locale;
import java.util.spi.AbstractResourceBundleProvider;
import org.example.parcel.i18n.spi.messagesProvider;

/** Messages in the files of this package. */
public final class MessagesProvider extends AbstractResourceBundleProvider implements messagesProvider {
    public MessagesProvider() {
        super("java.properties");
    }

    @Override
    protected String toBundleName(String baseName, Locale locale) {
        return super.toBundleName("org.example.parcel.languages.messages", locale);
    }
}
