package org.example.tea;

import java.util.Arrays;
import org.example.tea.task.Task;
import org.example.tea.web.Server;

/** Starts the service, or runs a task by its name. */
public final class Main {
    public static void main(String[] words) throws Exception {
        String word = words.length == 0 ? "serve" : words[0];
        if (word.equals("serve")) {
            new Server(new Store("jdbc:h2:file:/var/lib/tea/tea")).start(8080);
            return;
        }
        String name = "org.example.tea.task." + Character.toUpperCase(word.charAt(0)) + word.substring(1) + "Task";
        Task task;
        try {
            task = (Task) Class.forName(name).getDeclaredConstructor().newInstance();
        } catch (ClassNotFoundException e) {
            System.out.println("no task " + word);
            System.exit(2);
            return;
        }
        task.run(Arrays.copyOfRange(words, 1, words.length));
    }
}
