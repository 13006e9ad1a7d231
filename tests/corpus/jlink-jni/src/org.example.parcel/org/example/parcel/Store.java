package org.example.parcel;

import java.io.InputStream;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.sql.rowset.RowSetProvider;
import javax.sql.rowset.WebRowSet;
import org.example.parcel.api.Label;
import org.example.parcel.codes.Codes;

/** Labels in SQLite. */
public final class Store implements AutoCloseable {
    private final Connection connection;

    public Store() throws Exception {
        Path folder = folder();
        Path file = folder.resolve("parcel.db");
        boolean fresh = !Files.exists(file);
        connection = DriverManager.getConnection("jdbc:sqlite:" + file);
        if (fresh) {
            String schema;
            try (InputStream in = Store.class.getResourceAsStream("schema.sql")) {
                schema = new String(in.readAllBytes(), StandardCharsets.UTF_8);
            }
            try (Statement statement = connection.createStatement()) {
                for (String part : schema.split(";\n")) {
                    statement.executeUpdate(part);
                }
            }
        }
    }

    /** The folder of all data. */
    public static Path folder() {
        return Path.of(System.getenv().getOrDefault("PARCEL_DATA", "/var/lib/parcel"));
    }

    public synchronized List<Label> labels() throws SQLException {
        try (Statement statement = connection.createStatement();
            ResultSet rows = statement.executeQuery("select * from label order by id")) {
            List<Label> labels = new ArrayList<>();
            while (rows.next()) {
                labels.add(new Label(rows.getInt("id"), rows.getString("code"), rows.getString("receiver"),
                    rows.getString("place"), rows.getString("country"), rows.getInt("grams"),
                    rows.getString("contents"), rows.getLong("value"), LocalDate.parse(rows.getString("posted"))));
            }
            return labels;
        }
    }

    public Label label(int id) throws SQLException {
        return labels().stream().filter(label -> label.id() == id).findFirst()
            .orElseThrow(() -> new IllegalArgumentException("label " + id));
    }

    public synchronized int add(Map<String, String> form) throws SQLException {
        int id = labels().stream().mapToInt(Label::id).max().orElse(0) + 1;
        String code = "40123450" + String.format("%04d", id);
        code += Codes.checkDigit(code);
        try (PreparedStatement statement = connection.prepareStatement("insert into label values (?,?,?,?,?,?,?,?,?)")) {
            statement.setInt(1, id);
            statement.setString(2, code);
            statement.setString(3, form.get("receiver"));
            statement.setString(4, form.getOrDefault("place", ""));
            statement.setString(5, form.getOrDefault("country", ""));
            statement.setInt(6, Integer.parseInt(form.getOrDefault("grams", "0")));
            statement.setString(7, form.getOrDefault("contents", ""));
            statement.setLong(8, Long.parseLong(form.getOrDefault("value", "0")));
            statement.setString(9, LocalDate.parse(form.getOrDefault("posted", "2024-06-30")).toString());
            statement.executeUpdate();
        }
        return id;
    }

    /** Places that match words, by the full-text index. */
    public synchronized List<String> places(String words) throws SQLException {
        String query = "select highlight(place, 0, '[', ']') || ' ' || round(bm25(place), 2) from place where place match ? order by rank";
        try (PreparedStatement statement = connection.prepareStatement(query)) {
            statement.setString(1, words);
            List<String> found = new ArrayList<>();
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    found.add(rows.getString(1));
                }
            }
            return found;
        }
    }

    /** The receivers as a set of rows in XML. */
    public synchronized String rows() throws Exception {
        try (Statement statement = connection.createStatement();
            ResultSet rows = statement.executeQuery("select id, code, receiver from label order by id limit 2");
            WebRowSet set = RowSetProvider.newFactory().createWebRowSet()) {
            StringWriter out = new StringWriter();
            set.populate(rows);
            set.writeXml(out);
            return out.toString();
        }
    }

    @Override
    public void close() throws SQLException {
        connection.close();
    }
}
