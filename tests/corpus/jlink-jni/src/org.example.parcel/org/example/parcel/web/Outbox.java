package org.example.parcel.web;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Collectors;
import org.example.parcel.Picture;
import org.example.parcel.Store;

/** Labels wait here for the printer; a thread makes their pages. */
final class Outbox implements Runnable {
    private final BlockingQueue<Integer> waiting = new LinkedBlockingQueue<>();
    private final Path folder = Store.folder().resolve("outbox");
    private final Store store;

    Outbox(Store store) {
        this.store = store;
    }

    void start() {
        Thread thread = new Thread(this, "printer");
        thread.setDaemon(true);
        thread.start();
    }

    void add(int id) {
        waiting.add(id);
    }

    @Override
    public void run() {
        while (true) {
            try {
                int id = waiting.take();
                Files.createDirectories(folder);
                Files.write(folder.resolve(id + ".ps"), Picture.page(store.label(id)));
            } catch (InterruptedException error) {
                return;
            } catch (Throwable error) {
                Logger.getLogger("parcel").log(Level.WARNING, "not printed", error);
            }
        }
    }

    String list() throws Exception {
        if (!Files.isDirectory(folder)) {
            return "empty\n";
        }
        try (var files = Files.list(folder)) {
            return files.sorted().map(file -> {
                try {
                    String text = Files.readString(file, java.nio.charset.StandardCharsets.ISO_8859_1);
                    return file.getFileName() + " " + text.lines().findFirst().orElse("") + " " + text.lines().filter(line -> line.contains("showpage")).count();
                } catch (java.io.IOException error) {
                    throw new java.io.UncheckedIOException(error);
                }
            }).collect(Collectors.joining("\n", "", "\n"));
        }
    }
}
