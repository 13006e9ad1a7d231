package smithy.plugins;

import java.util.List;
import smithy.Plugin;

public final class Csv implements Plugin {
    @Override
    public String dump(List<String> wares) {
        return "Csv: " + String.join(",", wares);
    }
}
