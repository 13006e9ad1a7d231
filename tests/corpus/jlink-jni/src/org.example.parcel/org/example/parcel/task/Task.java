package org.example.parcel.task;

import java.util.List;

/** A task of the command line. */
public interface Task {
    /** Returns the exit code, or -1 when it goes on in other threads. */
    int run(List<String> arguments) throws Exception;
}
