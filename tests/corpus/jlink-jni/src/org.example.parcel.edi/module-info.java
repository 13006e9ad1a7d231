/** A plug-in: it is no part of the first layer, but loaded when its form is asked for. */
module org.example.parcel.edi {
    requires org.example.parcel.api;

    provides org.example.parcel.api.Exporter with org.example.parcel.edi.EdiExporter;
}
