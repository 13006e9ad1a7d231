package org.example.parcel.web;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.StringReader;
import java.io.StringWriter;
import java.net.URLDecoder;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.NumberFormat;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.FormatStyle;
import java.time.format.TextStyle;
import java.util.ArrayList;
import java.util.Currency;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.zip.GZIPOutputStream;
import javax.xml.XMLConstants;
import javax.xml.transform.Transformer;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.stream.StreamResult;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.SchemaFactory;
import javax.xml.xpath.XPathFactory;
import jdk.jfr.Configuration;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordingFile;
import org.example.parcel.Exporters;
import org.example.parcel.Picture;
import org.example.parcel.Seal;
import org.example.parcel.Words;
import org.example.parcel.api.Exporter;
import org.example.parcel.api.Inspector;
import org.example.parcel.api.Label;
import org.example.parcel.codes.CodeException;
import org.example.parcel.codes.Codes;

/** The pages. */
final class Pages implements HttpHandler {
    /** An answer. */
    private record Answer(int status, String type, byte[] body) {
        static Answer text(String text) {
            return new Answer(200, "text/plain; charset=utf-8", text.getBytes(StandardCharsets.UTF_8));
        }

        static Answer html(int status, String text) {
            return new Answer(status, "text/html; charset=utf-8", text.getBytes(StandardCharsets.UTF_8));
        }
    }

    private final Desk desk;

    Pages(Desk desk) {
        this.desk = desk;
    }

    @Override
    public void handle(HttpExchange exchange) throws java.io.IOException {
        Map<String, String> query = form(exchange.getRequestURI().getRawQuery());
        Words words = Words.of("en");
        Answer answer;
        try (exchange) {
            byte[] body = exchange.getRequestBody().readAllBytes();
            try {
                words = Words.of(query.getOrDefault("lang", exchange.getRequestHeaders().getFirst("Accept-Language")));
                answer = answer(exchange.getRequestMethod(), exchange.getRequestURI().getPath(), query, body, words);
            } catch (IllegalArgumentException | CodeException | java.sql.SQLException | org.xml.sax.SAXException | java.time.DateTimeException error) {
                String text = error instanceof java.sql.SQLException ? error.getMessage().replaceAll("\\s+", " ") : error.getClass().getSimpleName() + " " + error.getMessage();
                answer = Answer.html(400, page(words, "<p>" + escape(words.say("refused", text)) + "</p>"));
            } catch (Throwable error) {
                Logger.getLogger("parcel").log(Level.WARNING, "failed", error);
                answer = Answer.html(500, page(words, "<p>" + escape(words.say("failed")) + "</p>"));
            }
            byte[] content = answer.body();
            exchange.getResponseHeaders().set("Content-Type", answer.type());
            String accepted = exchange.getRequestHeaders().getFirst("Accept-Encoding");
            if (accepted != null && accepted.contains("gzip") && content.length > 500) {
                var packed = new java.io.ByteArrayOutputStream();
                try (GZIPOutputStream out = new GZIPOutputStream(packed)) {
                    out.write(content);
                }
                content = packed.toByteArray();
                exchange.getResponseHeaders().set("Content-Encoding", "gzip");
            }
            exchange.sendResponseHeaders(answer.status(), content.length == 0 ? -1 : content.length);
            exchange.getResponseBody().write(content);
        }
    }

    private Answer answer(String method, String path, Map<String, String> query, byte[] body, Words words) throws Exception {
        if (path.equals("/labels") && method.equals("POST")) {
            int id = desk.store().add(form(new String(body, StandardCharsets.US_ASCII)));
            return new Answer(201, "text/plain", ("/label/" + id + "\n").getBytes(StandardCharsets.US_ASCII));
        }
        if (path.startsWith("/label/")) {
            String[] name = path.substring(7).split("\\.", 2);
            Label label = desk.store().label(Integer.parseInt(name[0]));
            if (name.length == 1) {
                return Answer.html(200, details(label, words));
            }
            if (name[1].equals("ps")) {
                return new Answer(200, "application/postscript", Picture.page(label));
            }
            return new Answer(200, "image/" + name[1], Picture.image(label, name[1], query.get("space")));
        }
        switch (path) {
            case "/":
                return Answer.html(200, index(words));
            case "/style.css":
                try (InputStream in = Pages.class.getResourceAsStream("style.css")) {
                    return new Answer(200, "text/css", in.readAllBytes());
                }
            case "/status":
                return Answer.text("open, tariffs " + desk.generation() + ", labels " + desk.store().labels().size() + "\n");
            case "/modules":
                return Answer.text(Exporters.modules());
            case "/places":
                return Answer.text(String.join("\n", desk.store().places(query.getOrDefault("q", "leipzig"))) + "\n");
            case "/rows":
                return new Answer(200, "application/xml", desk.store().rows().getBytes(StandardCharsets.UTF_8));
            case "/export": {
                Exporter exporter = Exporters.of(query.getOrDefault("form", "csv"));
                return new Answer(200, exporter.type(), exporter.export(desk.store().labels(), words.locale(), query.getOrDefault("charset", "UTF-8")));
            }
            case "/declaration":
                return Answer.html(200, declaration(words));
            case "/sealed":
                return new Answer(200, "application/xml", Seal.sign(Exporters.of("xml").export(desk.store().labels(), Locale.ROOT, "UTF-8"), true));
            case "/verify":
                return Answer.text("sealed: " + Seal.verify(body) + "\n");
            case "/validate":
                return Answer.text(validate(body, words));
            case "/xpath":
                return Answer.text(XPathFactory.newInstance().newXPath().evaluate(query.get("q"),
                    new org.xml.sax.InputSource(new ByteArrayInputStream(Exporters.of("xml").export(desk.store().labels(), Locale.ROOT, "UTF-16"))) ) + "\n");
            case "/code":
                return new Answer(200, "image/svg+xml", bars(query.getOrDefault("text", "PARCEL")).getBytes(StandardCharsets.UTF_8));
            case "/crc": {
                ByteBuffer buffer = ByteBuffer.allocateDirect(body.length);
                buffer.put(body);
                return Answer.text(Integer.toHexString(Codes.crc32c(buffer)) + "\n");
            }
            case "/convert":
                return new Answer(200, "application/octet-stream", Codes.convert(body, query.getOrDefault("from", "UTF-8"), query.getOrDefault("to", "UTF-8")));
            case "/route":
                return Answer.text(route(query, words));
            case "/scan": {
                List<String> lines = new ArrayList<>();
                int count = Codes.scan(new String(body, StandardCharsets.UTF_8), line -> lines.add(Thread.currentThread().getName() + ": " + line.strip() + " " + Codes.checkDigit(line.strip())));
                return Answer.text(String.join("\n", lines) + "\n" + count + "\n");
            }
            case "/print":
                desk.outbox().add(Integer.parseInt(query.get("id")));
                return new Answer(202, "text/plain", "queued\n".getBytes(StandardCharsets.US_ASCII));
            case "/outbox":
                return Answer.text(desk.outbox().list());
            case "/picture":
                return Answer.text(Picture.read(body));
            case "/inspect":
                for (Inspector inspector : ServiceLoader.load(Inspector.class)) {
                    return Answer.text(inspector.inspect(body));
                }
                throw new IllegalStateException("no inspector");
            case "/time":
                return Answer.text(time(query.getOrDefault("zone", "UTC"), words.locale(), query.getOrDefault("lang", "en")));
            case "/charset":
                return charset(query.getOrDefault("name", "UTF-8"), query.getOrDefault("text", "Größe 茶 чай"));
            case "/survey":
                return Answer.text(Seal.survey(query.getOrDefault("text", "parcel")));
            case "/recording":
                return Answer.text(recording());
            case "/fail":
                throw new IllegalStateException("on purpose");
            default:
                return Answer.html(404, page(words, "<p>" + escape(words.say("missing", path)) + "</p>"));
        }
    }

    private String index(Words words) throws Exception {
        List<Label> labels = desk.store().labels();
        StringBuilder out = new StringBuilder("<p>" + escape(words.say("labels", labels.size())) + "</p>\n<table>\n");
        for (Label label : labels) {
            out.append("<tr><td><a href=\"/label/").append(label.id()).append("\">").append(label.code()).append("</a></td><td>")
                .append(escape(label.receiver())).append("</td><td>").append(escape(label.place())).append("</td></tr>\n");
        }
        return page(words, out.append("</table>").toString());
    }

    private String details(Label label, Words words) {
        Locale locale = words.locale();
        NumberFormat money = NumberFormat.getCurrencyInstance(locale);
        money.setCurrency(Currency.getInstance("EUR"));
        String[][] rows = {{words.say("receiver"), label.receiver()}, {words.say("contents"), label.contents()},
            {words.say("value"), money.format(label.value() / 100.0)},
            {words.say("weight"), NumberFormat.getCompactNumberInstance(locale, NumberFormat.Style.LONG).format(label.grams()) + " g"},
            {"", words.say("posted", Date.from(label.posted().atTime(12, 0).toInstant(java.time.ZoneOffset.UTC)))},
            {"", new Locale("", label.country()).getDisplayCountry(locale)}};
        StringBuilder out = new StringBuilder("<table>\n");
        for (String[] row : rows) {
            out.append("<tr><th>").append(escape(row[0])).append("</th><td>").append(escape(row[1])).append("</td></tr>\n");
        }
        return page(words, out.append("</table>").toString());
    }

    private String declaration(Words words) throws Exception {
        byte[] xml = Exporters.of("xml").export(desk.store().labels(), Locale.ROOT, "UTF-8");
        try (InputStream sheet = Pages.class.getResourceAsStream("declaration.xsl")) {
            Transformer transformer = TransformerFactory.newInstance().newTemplates(new StreamSource(sheet)).newTransformer();
            transformer.setParameter("title", words.say("declaration"));
            for (String key : List.of("receiver", "contents", "value", "total")) {
                transformer.setParameter(key, words.say(key));
            }
            StringWriter out = new StringWriter();
            transformer.transform(new StreamSource(new ByteArrayInputStream(xml)), new StreamResult(out));
            return out.toString();
        }
    }

    private static String validate(byte[] xml, Words words) throws Exception {
        SchemaFactory factory = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI);
        try (InputStream schema = Pages.class.getResourceAsStream("labels.xsd")) {
            var validator = factory.newSchema(new StreamSource(schema)).newValidator();
            validator.setProperty("http://apache.org/xml/properties/locale", words.locale());
            validator.validate(new StreamSource(new StringReader(new String(xml, StandardCharsets.UTF_8))));
        }
        return "valid\n";
    }

    private static String bars(String text) {
        StringBuilder out = new StringBuilder();
        int x = 0;
        boolean bar = true;
        for (byte width : Codes.code128(text)) {
            if (bar) {
                out.append("<rect x=\"").append(x).append("\" width=\"").append(width).append("\" height=\"40\"/>");
            }
            x += width;
            bar = !bar;
        }
        return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + x + "\" height=\"40\">" + out + "</svg>\n";
    }

    private String route(Map<String, String> query, Words words) {
        int grams = Integer.parseInt(query.getOrDefault("grams", "500"));
        String route = Codes.route(query.getOrDefault("carrier", "post"), query.getOrDefault("country", "DE"), grams);
        if (route == null) {
            throw new IllegalArgumentException("no route");
        }
        int zone = Integer.parseInt(route.replaceAll("(?s).*zone (\\d).*", "$1"));
        NumberFormat money = NumberFormat.getCurrencyInstance(words.locale());
        money.setCurrency(Currency.getInstance("EUR"));
        return route + "\n" + money.format(desk.price(zone, grams) / 100.0) + "\n";
    }

    private static String time(String name, Locale known, String lang) {
        Locale locale = Locale.forLanguageTag(lang);
        ZoneId zone = ZoneId.of(name);
        ZonedDateTime time = ZonedDateTime.of(2024, 3, 31, 1, 30, 0, 0, ZoneId.of("UTC")).withZoneSameInstant(zone);
        DateTimeFormatter format = DateTimeFormatter.ofLocalizedDateTime(FormatStyle.FULL).localizedBy(locale);
        return format.format(time) + "\n" + zone.getDisplayName(TextStyle.FULL, locale) + "\n"
            + zone.getRules().nextTransition(time.toInstant()) + "\n" + time.getChronology().getDisplayName(TextStyle.FULL, locale) + "\n"
            + java.util.TimeZone.getTimeZone(name).getDisplayName(true, java.util.TimeZone.SHORT, locale) + "\n";
    }

    private static Answer charset(String name, String text) {
        Charset charset = Charset.forName(name);
        byte[] bytes = text.getBytes(charset);
        return Answer.text(charset.name() + " " + charset.aliases().size() + " " + java.util.HexFormat.ofDelimiter(" ").formatHex(bytes) + " " + new String(bytes, charset) + "\n");
    }

    private static String recording() throws Exception {
        Path file = Files.createTempFile("flight", ".jfr");
        try (Recording recording = new Recording(Configuration.getConfiguration("profile"))) {
            recording.enable("jdk.SystemGC").withoutThreshold();
            recording.start();
            System.gc();
            recording.stop();
            recording.dump(file);
            long count = RecordingFile.readAllEvents(file).stream().filter(event -> event.getEventType().getName().equals("jdk.SystemGC")).count();
            return Configuration.getConfigurations().size() + " configurations, garbage collected " + (count > 0) + "\n";
        } finally {
            Files.deleteIfExists(file);
        }
    }

    private static Map<String, String> form(String text) {
        Map<String, String> form = new HashMap<>();
        if (text != null) {
            for (String pair : text.split("&")) {
                String[] sides = pair.split("=", 2);
                form.put(sides[0], sides.length == 1 ? "" : URLDecoder.decode(sides[1], StandardCharsets.UTF_8));
            }
        }
        return form;
    }

    private static String page(Words words, String content) {
        String direction = java.awt.ComponentOrientation.getOrientation(words.locale()).isLeftToRight() ? "ltr" : "rtl";
        return "<!DOCTYPE html>\n<html lang=\"" + words.locale().toLanguageTag() + "\" dir=\"" + direction + "\"><head><title>" + escape(words.say("title"))
            + "</title><link rel=\"stylesheet\" href=\"/style.css\"></head>\n<body><h1>" + escape(words.say("title")) + "</h1>\n" + content + "\n</body></html>\n";
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }
}
