/** Forms in which labels leave the desk. */
module org.example.parcel.exports {
    requires org.example.parcel.api;
    requires java.xml;

    provides org.example.parcel.api.Exporter with
        org.example.parcel.exports.CsvExporter,
        org.example.parcel.exports.XmlExporter,
        org.example.parcel.exports.ZipExporter;
}
