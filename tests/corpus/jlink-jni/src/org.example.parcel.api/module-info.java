module org.example.parcel.api {
    exports org.example.parcel.api;
}
