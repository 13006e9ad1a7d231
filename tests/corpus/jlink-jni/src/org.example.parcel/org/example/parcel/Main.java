package org.example.parcel;

import java.util.Arrays;
import java.util.List;
import java.util.logging.Logger;
import org.example.parcel.task.Task;

/** Starts a task by its name; `serve` is one of them. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws Exception {
        String name = arguments.length == 0 ? "serve" : arguments[0];
        List<String> rest = arguments.length == 0 ? List.of() : Arrays.asList(arguments).subList(1, arguments.length);
        Task task;
        try {
            String simple = Character.toUpperCase(name.charAt(0)) + name.substring(1) + "Task";
            task = (Task) Class.forName("org.example.parcel.task." + simple).getDeclaredConstructor().newInstance();
        } catch (ClassNotFoundException error) {
            Logger.getLogger("parcel").severe("no task " + name);
            System.out.println("parcel serve|report LANGUAGE|sort LANGUAGE|render ID FORM|seal [TEXT]|ping [PATH]");
            System.exit(2);
            return;
        }
        int code = task.run(rest);
        if (code >= 0) {
            System.exit(code);
        }
    }
}
