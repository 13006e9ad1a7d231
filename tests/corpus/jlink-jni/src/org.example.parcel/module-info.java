/** The desk itself. */
module org.example.parcel {
    requires org.example.parcel.api;
    requires org.example.parcel.codes;
    requires java.desktop;
    requires java.logging;
    requires java.management;
    requires java.net.http;
    requires java.sql;
    requires java.sql.rowset;
    requires java.xml;
    requires java.xml.crypto;
    requires jdk.httpserver;
    requires jdk.jfr;
    requires jdk.unsupported;

    exports org.example.parcel.i18n.spi to org.example.parcel.languages;

    uses org.example.parcel.api.Exporter;
    uses org.example.parcel.api.Inspector;
    uses org.example.parcel.i18n.spi.messagesProvider;
}
