/** Languages beside those of the application itself. */
module org.example.parcel.languages {
    requires org.example.parcel;

    provides org.example.parcel.i18n.spi.messagesProvider with org.example.parcel.languages.MessagesProvider;
}
