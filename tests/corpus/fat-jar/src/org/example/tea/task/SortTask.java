package org.example.tea.task;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.text.Collator;
import java.util.Locale;

public final class SortTask implements Task {
    public void run(String[] words) throws Exception {
        var lines = new BufferedReader(new InputStreamReader(System.in, "UTF-8")).lines().parallel();
        var out = new java.io.PrintStream(System.out, true, "UTF-8");
        lines.sorted(Collator.getInstance(Locale.forLanguageTag(words[0]))).forEachOrdered(out::println);
    }
}
