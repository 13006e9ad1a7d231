package org.example.parcel.i18n.spi;

import java.util.spi.ResourceBundleProvider;

/** Provides `org.example.parcel.i18n.messages` in further languages; the name is made as ResourceBundle wants it. */
public interface messagesProvider extends ResourceBundleProvider {}
