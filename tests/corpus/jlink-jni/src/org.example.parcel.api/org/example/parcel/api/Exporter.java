package org.example.parcel.api;

import java.util.List;
import java.util.Locale;

/** Writes labels in some form. */
public interface Exporter {
    /** The form's name, as in `?form=`. */
    String form();

    /** The media type. */
    String type();

    /** The labels in this form, in a set of characters where the form has a choice. */
    byte[] export(List<Label> labels, Locale locale, String charset) throws Exception;
}
