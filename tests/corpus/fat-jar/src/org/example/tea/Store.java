package org.example.tea;

import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.h2.tools.RunScript;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The items, in H2. */
public final class Store {
    private static final Logger LOG = LoggerFactory.getLogger(Store.class);
    private final Connection connection;

    public Store(String url) throws SQLException {
        connection = DriverManager.getConnection(url, "sa", "");
        if (query("select * from information_schema.tables where table_name = 'ITEM'").isEmpty()) {
            RunScript.execute(connection, new InputStreamReader(Store.class.getResourceAsStream("/sql/schema.sql"), StandardCharsets.UTF_8));
            LOG.info("schema made");
        }
    }

    public synchronized List<Map<String, Object>> query(String sql, Object... values) throws SQLException {
        try (var statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) {
                statement.setObject(i + 1, values[i]);
            }
            List<Map<String, Object>> rows = new ArrayList<>();
            if (!statement.execute()) {
                return rows;
            }
            ResultSet result = statement.getResultSet();
            ResultSetMetaData meta = result.getMetaData();
            while (result.next()) {
                Map<String, Object> row = new LinkedHashMap<>();
                for (int i = 1; i <= meta.getColumnCount(); i++) {
                    Object value = result.getObject(i);
                    row.put(meta.getColumnLabel(i).toLowerCase(), value == null || value instanceof Number || value instanceof Boolean ? value : value.toString());
                }
                rows.add(row);
            }
            return rows;
        }
    }

    public synchronized int add(Item item) throws SQLException {
        try (var statement = connection.prepareStatement("insert into item (name, price, stock, picked) values (?, ?, ?, ?)", new String[] {"ID"})) {
            statement.setString(1, item.name());
            statement.setBigDecimal(2, item.price());
            statement.setBoolean(3, item.stock());
            statement.setString(4, item.picked());
            statement.executeUpdate();
            ResultSet keys = statement.getGeneratedKeys();
            keys.next();
            return keys.getInt(1);
        }
    }
}
