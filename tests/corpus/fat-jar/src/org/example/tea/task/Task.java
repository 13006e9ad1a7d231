package org.example.tea.task;

public interface Task {
    void run(String[] words) throws Exception;
}
