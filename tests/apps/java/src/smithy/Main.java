package smithy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.text.Normalizer;
import java.text.NumberFormat;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.format.FormatStyle;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.ResourceBundle;
import java.util.concurrent.Callable;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import javax.crypto.Cipher;
import javax.crypto.spec.SecretKeySpec;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import javax.xml.parsers.DocumentBuilderFactory;

public final class Main {
    private static final Map<String, Callable<String>> ROUTES = Map.ofEntries(
            Map.entry("/", () -> "The smithy sells " + String.join(", ", inOrder("tongs", "anvil", "hammer")) + ".\n"),
            Map.entry("/terms.html", () -> resource("/pages/terms.html")),
            Map.entry("/page", () -> resource("/pages/page.html").replace("{wares}", "3")),
            Map.entry("/zones", () -> Instant.EPOCH.atZone(ZoneId.of("Asia/Tokyo")).toString()),
            Map.entry("/dates", () -> LocalDate.of(2024, 2, 29)
                    .format(DateTimeFormatter.ofLocalizedDate(FormatStyle.FULL).withLocale(Locale.JAPAN))),
            Map.entry("/money", () -> NumberFormat.getCurrencyInstance(Locale.GERMANY).format(1234.5)),
            Map.entry("/words", () -> ResourceBundle.getBundle("words", Locale.GERMAN).getString("anvil")),
            Map.entry("/user", () -> System.getProperty("user.name") + " " + Files.getOwner(Path.of("data/settings.properties"))),
            Map.entry("/charset", () -> HexFormat.of().formatHex("日本".getBytes(Charset.forName("Shift_JIS")))
                    + HexFormat.of().formatHex("Größe".getBytes(Charset.forName("IBM850")))
                    + Normalizer.normalize("ö", Normalizer.Form.NFD).length()),
            Map.entry("/trust", Main::trust),
            Map.entry("/tls", () -> String.join(",", SSLContext.getDefault().getSupportedSSLParameters().getProtocols())),
            Map.entry("/packed", Main::packed),
            Map.entry("/digest", () -> HexFormat.of().formatHex(MessageDigest.getInstance("SHA3-256").digest("iron".getBytes()))),
            Map.entry("/cipher", () -> {
                Cipher cipher = Cipher.getInstance("AES/ECB/PKCS5Padding");
                cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec("0123456789abcdef".getBytes(), "AES"));
                return HexFormat.of().formatHex(cipher.doFinal("iron".getBytes()));
            }),
            Map.entry("/settings", () -> {
                Properties settings = new Properties();
                try (InputStream in = Files.newInputStream(Path.of("data", "settings.properties"))) {
                    settings.load(in);
                }
                return settings.getProperty("owner");
            }),
            Map.entry("/xml", () -> DocumentBuilderFactory.newInstance().newDocumentBuilder()
                    .parse(new ByteArrayInputStream("<a>iron</a>".getBytes())).getDocumentElement().getTextContent()),
            Map.entry("/log", () -> {
                java.util.logging.Logger.getLogger("smithy").info("asked");
                return java.util.logging.LogManager.getLogManager().getProperty("handlers");
            }),
            Map.entry("/sorted", () -> String.join(" ", inOrder("zinc", "copper", "iron"))),
            Map.entry("/broken", () -> {
                throw new IllegalStateException("broken");
            }));

    private Main() {
    }

    public static void main(String[] args) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(8080), 0);
        server.createContext("/", Main::answer);
        server.start();
    }

    private static void answer(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        int status = 200;
        String body;
        try {
            if (path.startsWith("/export/")) {
                Class<?> plugin = Class.forName("smithy.plugins." + path.substring(8));
                body = ((Plugin) plugin.getDeclaredConstructor().newInstance()).dump(List.of("iron", "zinc"));
            } else if (ROUTES.containsKey(path)) {
                body = ROUTES.get(path).call();
            } else {
                status = 404;
                body = resource("/pages/404.html");
            }
        } catch (Exception | LinkageError error) {
            error.printStackTrace();
            status = 500;
            body = resource("/pages/500.html");
        }
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    private static String resource(String name) throws IOException {
        try (InputStream in = Main.class.getResourceAsStream(name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static List<String> inOrder(String... lines) throws IOException {
        Process sort = new ProcessBuilder("sort").start();
        try (var in = sort.outputWriter()) {
            in.write(String.join("\n", lines) + "\n");
        }
        try (var out = sort.inputReader()) {
            return new ArrayList<>(out.lines().toList());
        }
    }

    private static String trust() throws Exception {
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init((KeyStore) null);
        int count = ((X509TrustManager) factory.getTrustManagers()[0]).getAcceptedIssuers().length;
        return (count > 0) + " " + count;
    }

    private static String packed() throws IOException {
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        try (GZIPOutputStream out = new GZIPOutputStream(packed)) {
            out.write("iron ".repeat(1000).getBytes());
        }
        return String.valueOf(new GZIPInputStream(new ByteArrayInputStream(packed.toByteArray())).readAllBytes().length);
    }
}
