package org.example.tea.task;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

public final class ProcessTask implements Task {
    public void run(String[] words) throws Exception {
        Path file = Files.createTempFile("tea", ".txt", PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.writeString(file, "leaf\n");
        var process = new ProcessBuilder("cat", file.toString()).redirectErrorStream(true).start();
        System.out.print(new String(process.getInputStream().readAllBytes()));
        System.out.println(process.waitFor() + " " + Files.getOwner(file) + " " + PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
    }
}
