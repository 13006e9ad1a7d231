/** Documents inspected by libmagic; on the module path, as JNA is no real module. */
module org.example.parcel.inspect {
    requires org.example.parcel.api;
    requires com.sun.jna;

    exports org.example.parcel.inspect to com.sun.jna;

    provides org.example.parcel.api.Inspector with org.example.parcel.inspect.MagicInspector;
}
