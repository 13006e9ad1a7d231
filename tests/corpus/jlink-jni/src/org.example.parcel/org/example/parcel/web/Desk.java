package org.example.parcel.web;

import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.logging.Logger;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.example.parcel.Exporters;
import org.example.parcel.Seal;
import org.example.parcel.Store;

/** All that listens: HTTP, HTTPS, and the port of the scanners. */
public final class Desk {
    private static final Logger LOG = Logger.getLogger("parcel");

    private final Store store;
    private final Outbox outbox;
    private volatile Properties tariffs;
    private int generation;

    public Desk() throws Exception {
        store = new Store();
        outbox = new Outbox(store);
        reload();
    }

    /** Reads the tariffs, and forgets plug-ins. */
    public synchronized void reload() throws Exception {
        Properties read = new Properties();
        try (InputStream in = Files.newInputStream(Path.of(System.getenv().getOrDefault("PARCEL_TARIFFS", "/etc/parcel/tariffs.properties")))) {
            read.load(in);
        }
        tariffs = read;
        Exporters.reset();
        generation++;
        LOG.info("tariffs: " + generation);
    }

    public void start() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(8);
        Pages pages = new Pages(this);
        HttpServer plain = HttpServer.create(new InetSocketAddress(8080), 50);
        plain.createContext("/", pages);
        plain.setExecutor(pool);
        plain.start();

        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(Seal.keys(), Seal.secret());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, null);
        HttpsServer secure = HttpsServer.create(new InetSocketAddress(8443), 50);
        secure.setHttpsConfigurator(new HttpsConfigurator(context));
        secure.createContext("/", pages);
        secure.setExecutor(pool);
        secure.start();

        Thread scanners = new Thread(new Scanners(this, pool), "scanners");
        scanners.start();
        outbox.start();
        LOG.info("open");
    }

    Store store() {
        return store;
    }

    Outbox outbox() {
        return outbox;
    }

    /** The price in cents of a parcel in a zone. */
    long price(int zone, int grams) {
        long kilograms = (grams + 999) / 1000;
        double fuel = 1 + Double.parseDouble(tariffs.getProperty("fuel"));
        return Math.round(Long.parseLong(tariffs.getProperty("zone." + zone)) * kilograms * fuel);
    }

    synchronized int generation() {
        return generation;
    }
}
