package org.example.tea.web;

import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import freemarker.template.Configuration;
import freemarker.template.TemplateExceptionHandler;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.text.NumberFormat;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.format.FormatStyle;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Map;
import java.util.ResourceBundle;
import java.util.ServiceLoader;
import java.util.concurrent.Executors;
import java.util.zip.GZIPOutputStream;
import org.example.tea.Item;
import org.example.tea.Store;
import org.example.tea.export.Exporter;
import org.jsoup.Jsoup;
import org.jsoup.safety.Safelist;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Routes and their answers. */
public final class Server {
    private static final Logger LOG = LoggerFactory.getLogger(Server.class);
    private final Store store;
    private final ObjectMapper json = new ObjectMapper();
    private final Configuration templates = new Configuration(Configuration.VERSION_2_3_31);

    private interface Route {
        Answer answer(HttpExchange exchange, Map<String, String> query) throws Exception;
    }

    private record Answer(int status, String type, byte[] body) {
        static Answer of(String type, String body) {
            return new Answer(200, type, body.getBytes(StandardCharsets.UTF_8));
        }
    }

    public Server(Store store) {
        this.store = store;
        templates.setClassForTemplateLoading(Server.class, "/templates");
        templates.setDefaultEncoding("UTF-8");
        templates.setTemplateExceptionHandler(TemplateExceptionHandler.RETHROW_HANDLER);
    }

    public void start(int port) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(port), 0);
        server.setExecutor(Executors.newFixedThreadPool(4));
        route(server, "/", this::index);
        route(server, "/items", this::items);
        route(server, "/export", this::export);
        route(server, "/sql", (exchange, query) -> Answer.of("application/json", json.writeValueAsString(store.query(body(exchange)))));
        route(server, "/time", this::time);
        route(server, "/charset", this::charset);
        route(server, "/digest", this::digest);
        route(server, "/clean", (exchange, query) -> Answer.of("text/html", Jsoup.clean(body(exchange), Safelist.basic())));
        route(server, "/transform", (exchange, query) -> Answer.of("text/xml", Xml.transform(body(exchange), query.getOrDefault("sheet", "titles"))));
        route(server, "/self", this::self);
        route(server, "/fail", (exchange, query) -> {
            throw new IllegalStateException("it was to fail");
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> LOG.info("ended")));
        server.start();
        LOG.info("listening on {}", port);
    }

    private void route(HttpServer server, String path, Route route) {
        server.createContext(path, exchange -> {
            Answer answer;
            try {
                answer = route.answer(exchange, query(exchange));
            } catch (JsonProcessingException | SQLException | IllegalArgumentException e) {
                answer = new Answer(400, "text/plain", (e.getClass().getSimpleName() + ": " + e.getMessage().split("\n")[0]).getBytes(StandardCharsets.UTF_8));
            } catch (Throwable e) {
                LOG.error("failed", e);
                answer = new Answer(500, "text/plain", ("failed: " + e.getClass().getName()).getBytes(StandardCharsets.UTF_8));
            }
            byte[] body = answer.body();
            exchange.getResponseHeaders().set("Content-Type", answer.type());
            String accepted = exchange.getRequestHeaders().getFirst("Accept-Encoding");
            if (accepted != null && accepted.contains("gzip")) {
                exchange.getResponseHeaders().set("Content-Encoding", "gzip");
                exchange.sendResponseHeaders(answer.status(), 0);
                try (var out = new GZIPOutputStream(exchange.getResponseBody())) {
                    out.write(body);
                }
                return;
            }
            exchange.sendResponseHeaders(answer.status(), body.length == 0 ? -1 : body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
    }

    private static Map<String, String> query(HttpExchange exchange) {
        Map<String, String> values = new HashMap<>();
        String text = exchange.getRequestURI().getRawQuery();
        for (String pair : text == null ? new String[0] : text.split("&")) {
            String[] parts = pair.split("=", 2);
            values.put(parts[0], parts.length == 1 ? "" : URLDecoder.decode(parts[1], StandardCharsets.UTF_8));
        }
        return values;
    }

    private static String body(HttpExchange exchange) throws IOException {
        return new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    }

    private static Locale locale(HttpExchange exchange, Map<String, String> query) {
        String wanted = query.getOrDefault("lang", exchange.getRequestHeaders().getFirst("Accept-Language"));
        return wanted == null ? Locale.ENGLISH : Locale.lookup(Locale.LanguageRange.parse(wanted), java.util.List.of(Locale.getAvailableLocales()));
    }

    private Answer index(HttpExchange exchange, Map<String, String> query) throws Exception {
        String path = exchange.getRequestURI().getPath();
        if (!path.equals("/")) {
            try (InputStream file = Server.class.getResourceAsStream("/static" + path)) {
                if (file != null) {
                    return new Answer(200, java.net.URLConnection.guessContentTypeFromName(path), file.readAllBytes());
                }
            }
        }
        Locale locale = locale(exchange, query);
        ResourceBundle messages = ResourceBundle.getBundle("messages.messages", locale, ResourceBundle.Control.getNoFallbackControl(ResourceBundle.Control.FORMAT_DEFAULT));
        Map<String, Object> model = new HashMap<>();
        for (String key : messages.keySet()) {
            model.put(key, messages.getString(key));
        }
        model.put("items", store.query("select * from item order by id"));
        model.put("count", java.text.MessageFormat.format(messages.getString("count"), store.query("select * from item").size()));
        boolean found = path.equals("/");
        StringWriter out = new StringWriter();
        templates.getTemplate(found ? "index.ftlh" : "missing.ftlh", locale).process(model, out);
        return new Answer(found ? 200 : 404, "text/html; charset=utf-8", out.toString().getBytes(StandardCharsets.UTF_8));
    }

    private Answer items(HttpExchange exchange, Map<String, String> query) throws Exception {
        if (exchange.getRequestMethod().equals("POST")) {
            Item item = json.readValue(body(exchange), Item.class);
            if (item.name() == null || item.name().isBlank()) {
                throw new JsonMappingException(null, "an item has a name");
            }
            return new Answer(201, "application/json", json.writeValueAsBytes(Map.of("id", store.add(item))));
        }
        if (exchange.getRequestMethod().equals("DELETE")) {
            store.query("delete from item where id = ?", Integer.valueOf(query.get("id")));
            return new Answer(204, "text/plain", new byte[0]);
        }
        String like = query.getOrDefault("like", "") + "%";
        return Answer.of("application/json", json.writerWithDefaultPrettyPrinter().writeValueAsString(store.query("select * from item where name like ? order by name", like)));
    }

    private Answer export(HttpExchange exchange, Map<String, String> query) throws Exception {
        String form = query.getOrDefault("form", "csv");
        for (Exporter exporter : ServiceLoader.load(Exporter.class)) {
            if (exporter.form().equals(form)) {
                return new Answer(200, exporter.type(), exporter.export(store.query("select * from item order by id")));
            }
        }
        throw new IllegalArgumentException("no exporter for " + form);
    }

    private Answer time(HttpExchange exchange, Map<String, String> query) {
        Locale locale = locale(exchange, query);
        try {
            var time = LocalDateTime.of(2024, 7, 1, 12, 0).atZone(ZoneId.of(query.getOrDefault("zone", "UTC")));
            return Answer.of("text/plain; charset=utf-8", DateTimeFormatter.ofLocalizedDateTime(FormatStyle.FULL).withLocale(locale).format(time) + "\n"
                + NumberFormat.getCurrencyInstance(locale).format(new BigDecimal("1234567.891")) + "\n" + locale.getDisplayLanguage(locale) + "\n");
        } catch (java.time.DateTimeException e) {
            throw new IllegalArgumentException(e.getMessage());
        }
    }

    private Answer charset(HttpExchange exchange, Map<String, String> query) {
        Charset charset = Charset.forName(query.getOrDefault("name", "UTF-8"));
        return Answer.of("text/plain", charset.name() + " " + HexFormat.of().formatHex("aß茶".getBytes(charset)));
    }

    private Answer digest(HttpExchange exchange, Map<String, String> query) throws Exception {
        var text = query.getOrDefault("text", "tea").getBytes(StandardCharsets.UTF_8);
        StringBuilder out = new StringBuilder();
        for (String name : new String[] {"MD5", "SHA-256", "SHA3-512"}) {
            out.append(HexFormat.of().formatHex(java.security.MessageDigest.getInstance(name).digest(text))).append('\n');
        }
        var keys = java.security.KeyPairGenerator.getInstance(query.getOrDefault("keys", "EC")).generateKeyPair();
        String algorithm = Map.of("EC", "SHA256withECDSA", "RSA", "SHA512withRSA", "Ed25519", "Ed25519").get(query.getOrDefault("keys", "EC"));
        var signature = java.security.Signature.getInstance(algorithm);
        signature.initSign(keys.getPrivate());
        signature.update(text);
        byte[] signed = signature.sign();
        signature.initVerify(keys.getPublic());
        signature.update(text);
        var factory = javax.crypto.SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256");
        byte[] key = factory.generateSecret(new javax.crypto.spec.PBEKeySpec("word".toCharArray(), text, 1000, 256)).getEncoded();
        var cipher = javax.crypto.Cipher.getInstance("ChaCha20-Poly1305");
        cipher.init(javax.crypto.Cipher.ENCRYPT_MODE, new javax.crypto.spec.SecretKeySpec(key, "ChaCha20"), new javax.crypto.spec.IvParameterSpec(new byte[12]));
        return Answer.of("text/plain", out + " verified " + signature.verify(signed) + " " + HexFormat.of().formatHex(cipher.doFinal(text)));
    }

    private Answer self(HttpExchange exchange, Map<String, String> query) throws Exception {
        var client = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NORMAL).build();
        var request = HttpRequest.newBuilder(URI.create("http://localhost:8080" + query.getOrDefault("path", "/items"))).build();
        var answer = client.sendAsync(request, HttpResponse.BodyHandlers.ofString()).get();
        return Answer.of("text/plain", answer.version() + " " + answer.statusCode() + "\n" + answer.body());
    }
}
