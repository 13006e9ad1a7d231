package smithy.plugins;

import java.util.List;
import smithy.Plugin;

public final class Text implements Plugin {
    @Override
    public String dump(List<String> wares) {
        return "Text: " + String.join(",", wares);
    }
}
