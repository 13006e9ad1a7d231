package org.example.tea.task;

import java.util.Locale;
import org.example.tea.Store;

public final class ReportTask implements Task {
    public void run(String[] words) throws Exception {
        var locale = Locale.forLanguageTag(words.length > 0 ? words[0] : "en");
        var rows = new Store("jdbc:h2:mem:report;MODE=PostgreSQL").query("select stock, count(*) n, sum(price) total, listagg(name, ', ') within group (order by name) names from item group by stock order by stock");
        for (var row : rows) {
            System.out.printf(locale, "%s %,.2f %s%n", row.get("stock"), row.get("total"), row.get("names"));
        }
    }
}
