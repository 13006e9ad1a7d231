module org.example.parcel.codes {
    exports org.example.parcel.codes;
}
