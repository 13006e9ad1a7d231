package org.example.parcel.codes;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.function.Consumer;

/** The native library. */
public final class Codes {
    static {
        System.loadLibrary("parcelcodes");
    }

    private Codes() {}

    public static native byte[] code128(String text);

    public static native int checkDigit(String digits);

    /** CRC-32C of a direct buffer. */
    public static native int crc32c(ByteBuffer buffer);

    public static native byte[] convert(byte[] bytes, String from, String to);

    public static native int scan(String text, Consumer<String> sink);

    private static native String route0(String library, String country, int grams);

    /** The route of a parcel, or null when this carrier does not go there. */
    public static String route(String carrier, String country, int grams) {
        if (!carrier.matches("[a-z]+")) {
            throw new CodeException("no name of a carrier");
        }
        Path library = Path.of(System.getProperty("parcel.carriers", "carriers"), "libcarrier-" + carrier + ".so");
        return route0(library.toString(), country, grams);
    }
}
