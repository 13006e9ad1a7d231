package org.example.parcel.web;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.concurrent.Executor;
import org.example.parcel.codes.Codes;

/** The line protocol of hand scanners. */
final class Scanners implements Runnable {
    private final Desk desk;
    private final Executor pool;

    Scanners(Desk desk, Executor pool) {
        this.desk = desk;
        this.pool = pool;
    }

    @Override
    public void run() {
        try (ServerSocket server = new ServerSocket(9100)) {
            while (true) {
                Socket socket = server.accept();
                pool.execute(() -> talk(socket));
            }
        } catch (java.io.IOException error) {
            throw new java.io.UncheckedIOException(error);
        }
    }

    private void talk(Socket socket) {
        try (socket) {
            socket.setSoTimeout(20_000);
            Charset charset = StandardCharsets.UTF_8;
            BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
            PrintWriter out = new PrintWriter(socket.getOutputStream(), true, charset);
            String line;
            while ((line = in.readLine()) != null && !line.equals("QUIT")) {
                out.print(answer(line.split(" ")) + "\n");
                out.flush();
            }
        } catch (java.io.IOException error) {
            // The scanner went away.
        }
    }

    private String answer(String[] words) {
        try {
            switch (words[0]) {
                case "SCAN":
                    String code = words[1];
                    int digit = Codes.checkDigit(code.substring(0, code.length() - 1));
                    return (code.endsWith(Integer.toString(digit)) ? "OK " : "BAD ") + code;
                case "ROUTE":
                    int grams = Integer.parseInt(words[3]);
                    String route = Codes.route(words[1], words[2], grams);
                    if (route == null) {
                        return "NO ROUTE";
                    }
                    int zone = Integer.parseInt(route.replaceAll(".*zone (\\d).*", "$1"));
                    return "ROUTE " + route + ";" + desk.price(zone, grams);
                case "TIME":
                    return "TIME " + ZonedDateTime.parse("2024-10-27T00:30:00Z[UTC]").withZoneSameInstant(ZoneId.of(words[1]));
                case "TEXT":
                    byte[] bytes = java.util.HexFormat.of().parseHex(words[2]);
                    return "TEXT " + new String(Codes.convert(bytes, words[1], "UTF-8"), StandardCharsets.UTF_8);
                default:
                    return "ERR";
            }
        } catch (RuntimeException error) {
            return "ERR " + error.getClass().getSimpleName();
        }
    }
}
