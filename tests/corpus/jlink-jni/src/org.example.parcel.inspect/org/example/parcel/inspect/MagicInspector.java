package org.example.parcel.inspect;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import org.example.parcel.api.Inspector;

/** libmagic by JNA. */
public final class MagicInspector implements Inspector {
    /** The functions of libmagic that are used. */
    public interface Magic extends Library {
        Pointer magic_open(int flags);

        int magic_load(Pointer cookie, String files);

        String magic_buffer(Pointer cookie, byte[] buffer, long length);

        String magic_error(Pointer cookie);

        void magic_close(Pointer cookie);
    }

    private static final int MIME = 0x410;

    @Override
    public String inspect(byte[] content) {
        Magic magic = Native.load("libmagic.so.1", Magic.class);
        return ask(magic, MIME, content) + "\n" + ask(magic, 0, content) + "\n";
    }

    private static String ask(Magic magic, int flags, byte[] content) {
        Pointer cookie = magic.magic_open(flags);
        try {
            if (magic.magic_load(cookie, null) != 0) {
                return magic.magic_error(cookie);
            }
            return magic.magic_buffer(cookie, content, content.length);
        } finally {
            magic.magic_close(cookie);
        }
    }
}
