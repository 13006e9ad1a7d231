package shop;

import jakarta.servlet.ServletException;
import jakarta.servlet.annotation.WebServlet;
import jakarta.servlet.http.*;
import java.io.*;
import java.util.*;
import java.util.zip.*;

@WebServlet(urlPatterns = "/tool/*", asyncSupported = true)
public class Tools extends HttpServlet {
    public interface Tool {
        String run(String argument) throws Exception;
    }

    public static class Zone implements Tool {
        public String run(String argument) {
            return java.time.Instant.EPOCH.atZone(java.time.ZoneId.of(argument.replace('-', '/'))).toString();
        }
    }

    public static class Charset implements Tool {
        public String run(String argument) throws Exception {
            return HexFormat.of().formatHex("Grüße 日本".getBytes(argument));
        }
    }

    public static class Xml implements Tool {
        public String run(String argument) throws Exception {
            var source = new org.xml.sax.InputSource(new StringReader("<a><b>x</b><b>y</b></a>"));
            var document = javax.xml.parsers.DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(source);
            var out = new StringWriter();
            javax.xml.transform.TransformerFactory.newInstance().newTransformer().transform(new javax.xml.transform.dom.DOMSource(document), new javax.xml.transform.stream.StreamResult(out));
            return javax.xml.xpath.XPathFactory.newInstance().newXPath().evaluate(argument.isEmpty() ? "count(//b)" : argument, document) + " " + out.toString().length();
        }
    }

    public static class Sign implements Tool {
        public String run(String argument) throws Exception {
            var pair = java.security.KeyPairGenerator.getInstance(argument).generateKeyPair();
            var signature = java.security.Signature.getInstance(argument.equals("EC") ? "SHA256withECDSA" : argument.equals("RSA") ? "SHA256withRSA" : argument);
            signature.initSign(pair.getPrivate());
            signature.update(new byte[] {1});
            byte[] made = signature.sign();
            signature.initVerify(pair.getPublic());
            signature.update(new byte[] {1});
            return String.valueOf(signature.verify(made));
        }
    }

    public static class Picture implements Tool {
        public String run(String argument) throws Exception {
            var image = new java.awt.image.BufferedImage(8, 4, java.awt.image.BufferedImage.TYPE_INT_RGB);
            var out = new ByteArrayOutputStream();
            return javax.imageio.ImageIO.write(image, argument, out) + " " + (out.size() > 20);
        }
    }

    public static class Script implements Tool {
        public String run(String argument) throws Exception {
            var engine = new javax.script.ScriptEngineManager().getEngineByName(argument);
            return engine == null ? "no such engine" : engine.eval("1 + 1").toString();
        }
    }

    public static class Compile implements Tool {
        public String run(String argument) throws Exception {
            return javax.tools.ToolProvider.getSystemJavaCompiler() == null ? "no compiler" : "compiler";
        }
    }

    public static class Http implements Tool {
        public String run(String argument) throws Exception {
            var request = java.net.http.HttpRequest.newBuilder(java.net.URI.create("http://127.0.0.1:8080/plain.html")).build();
            return java.net.http.HttpClient.newHttpClient().send(request, java.net.http.HttpResponse.BodyHandlers.ofString()).body().trim();
        }
    }

    public static class Divide implements Tool {
        public String run(String argument) {
            return String.valueOf(1 / Integer.parseInt(argument));
        }
    }

    public static class Log implements Tool {
        public String run(String argument) throws Exception {
            return java.lang.management.ManagementFactory.getPlatformMBeanServer().getDomains().length > 2 ? "beans" : "none";
        }
    }

    public static class Zip implements Tool {
        public String run(String argument) throws Exception {
            var bytes = new ByteArrayOutputStream();
            try (var zip = new ZipOutputStream(bytes)) {
                zip.putNextEntry(new ZipEntry(argument));
            }
            var path = java.nio.file.Files.createTempFile("t", ".zip");
            java.nio.file.Files.write(path, bytes.toByteArray());
            try (var system = java.nio.file.FileSystems.newFileSystem(path)) {
                return String.valueOf(java.nio.file.Files.exists(system.getPath("/" + argument)));
            }
        }
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException, ServletException {
        String[] words = request.getPathInfo().substring(1).split("/", 2);
        response.setContentType("text/plain; charset=UTF-8");
        try {
            Tool tool = (Tool) Class.forName("shop.Tools$" + words[0]).getDeclaredConstructor().newInstance();
            response.getWriter().println(tool.run(words.length > 1 ? words[1] : ""));
        } catch (ClassNotFoundException error) {
            response.sendError(404);
        } catch (RuntimeException error) {
            throw error;
        } catch (Exception error) {
            response.getWriter().println(error);
        }
    }
}
