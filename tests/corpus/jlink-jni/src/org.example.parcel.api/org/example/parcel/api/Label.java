package org.example.parcel.api;

import java.time.LocalDate;

/** A parcel's label. */
public record Label(int id, String code, String receiver, String place, String country, int grams, String contents, long value, LocalDate posted) {}
