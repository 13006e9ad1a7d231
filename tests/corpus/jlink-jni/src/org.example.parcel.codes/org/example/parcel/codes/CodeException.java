package org.example.parcel.codes;

/** What the native library does not accept. */
public final class CodeException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public CodeException(String text) {
        super(text);
    }
}
