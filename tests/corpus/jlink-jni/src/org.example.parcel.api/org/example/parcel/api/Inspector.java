package org.example.parcel.api;

/** Says what an attached document is. */
public interface Inspector {
    /** The media type and a description. */
    String inspect(byte[] content);
}
